// The button below the results that shows more of them.

import { el, toast } from "./dom.js";
import { count } from "./format.js";

export class More {
  constructor(place) {
    this.place = place;
    this.button = el("button", { type: "button", class: "quiet", id: "more", onclick: () => this.load() });
    new IntersectionObserver(([entry]) => {
      // It comes by itself, but not where the page has no bottom that one could have scrolled to.
      if (entry.isIntersecting && scrollY > 0) this.load();
    }, { rootMargin: "200px" }).observe(this.button);
  }

  /** Offer what is left, of which `load()` shows a part and makes the next offer.
   * Where it is not `known` how many are left, there may be none. */
  offer(left, one, load, known = true) {
    this.next = load;
    this.button.remove();
    if (left <= 0) return;
    this.button.textContent = known ? `Show more of ${count(left, one)}` : `Show more ${one}s`;
    this.button.disabled = false;
    this.place.append(this.button);
  }

  /** Show more, if there is more. */
  async load() {
    if (!this.button.isConnected || this.button.disabled) return;
    this.button.disabled = true;
    try {
      await this.next();
    } catch (error) {
      if (error.name !== "AbortError") toast(error.message);
      this.button.disabled = false;
    }
  }
}
