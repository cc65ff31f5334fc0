// The transcript: what is said and written in the video that plays, beside it.

import { button, el } from "./dom.js";
import { clock, count } from "./format.js";
import { finder, marked } from "./words.js";

const MOST = 5000; // lines that are shown at once; searching reaches the rest
const KINDS = { subtitles: "Subtitles", speech: "Said", screen: "On screen" };

export class Transcript {
  /** `seek(t)` is called when the user chooses a line, `changed(cues)` with those that match. */
  constructor(seek, changed) {
    Object.assign(this, { seek, changed, cues: [] });
    this.box = el("input", {
      type: "search", placeholder: "Find in what is said and written", spellcheck: "false",
      "aria-label": "Find in what is said and written", enterkeyhint: "search",
    });
    this.box.addEventListener("input", () => this.#list());
    this.box.addEventListener("keydown", (event) => this.#key(event));
    this.follower = button("then", "Follow the playback", () => this.#follow(true), {
      class: "bare", hidden: true, "aria-pressed": "true",
    });
    this.told = el("p", { class: "told", role: "status" });
    this.list = el("ol", { class: "lines", tabindex: "0", "aria-label": "Lines" });
    this.list.addEventListener("wheel", () => this.#follow(false), { passive: true });
    this.list.addEventListener("touchmove", () => this.#follow(false), { passive: true });
    this.list.addEventListener("click", (event) => this.#choose(event));
    new ResizeObserver(() => this.#follow(this.follows)).observe(this.list);
    this.element = el("section", { class: "transcript", "aria-label": "Transcript", hidden: true },
      el("div", { class: "finder" }, this.box, this.follower), this.told, this.list);
  }

  /** Show a video's cues; those that match `text` are marked, until something else is looked for. */
  show(cues, text) {
    Object.assign(this, { cues, text, now: -1 });
    this.mixed = new Set(cues.map((cue) => cue.source)).size > 1;
    this.element.hidden = !cues.length;
    this.box.value = "";
    this.#follow(true);
    this.#list();
  }

  /** Mark the line of a time, and bring it into view. */
  at(t) {
    if (!this.shown?.length) return;
    const now = this.#find(t);
    if (now === this.now) return;
    this.list.children[this.now]?.removeAttribute("aria-current");
    this.now = now;
    const line = this.list.children[now];
    line?.setAttribute("aria-current", "true");
    if (line && this.follows) this.#reveal(line);
  }

  /** The place among the lines of the last one that has begun at `t`; -1 before the first. */
  #find(t) {
    let [low, high] = [0, this.shown.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.shown[middle].start <= t + 0.05) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  /** Scroll the list alone: `scrollIntoView` would move the page too. */
  #reveal(line) {
    const { list } = this;
    list.scrollTop = line.offsetTop - (list.clientHeight - line.clientHeight) / 2;
  }

  #follow(does) {
    this.follows = does;
    this.follower.setAttribute("aria-pressed", String(does));
    const line = this.list.children[this.now];
    if (does && line) this.#reveal(line);
  }

  /** List all lines, or those that hold what is looked for. */
  #list() {
    const asked = this.box.value.trim();
    const find = finder(asked || this.text);
    const hits = this.cues.filter((cue) => find(cue.text).length);
    const all = asked ? hits : this.cues;
    this.shown = all.slice(0, MOST);
    this.now = -1;
    this.list.replaceChildren(...this.shown.map((cue, at) => this.#line(cue, at, find)));
    const told = [asked || hits.length ? count(hits.length, "hit") : "",
      all.length > MOST ? `the first ${count(MOST, "line")} are shown` : ""];
    this.told.textContent = told.filter(Boolean).join("; ");
    this.told.hidden = !this.told.textContent;
    this.changed(hits);
    if (asked) this.list.scrollTop = 0;
  }

  #line(cue, at, find) {
    const kind = this.mixed ? el("span", { class: "kind" }, KINDS[cue.source] ?? cue.source) : null;
    const text = el("span", { class: "text", dir: "auto", lang: cue.language || null });
    text.append(...marked(cue.text, find(cue.text)));
    return el("li", {}, el("button", { type: "button", "data-at": at },
      el("time", {}, clock(cue.start)), kind, text));
  }

  #choose(event) {
    const line = event.target.closest("button");
    if (!line) return;
    this.#follow(true);
    this.seek(this.shown[Number(line.dataset.at)].start);
  }

  #key(event) {
    if (event.key === "Escape" && this.box.value) {
      event.preventDefault(); // else the player closes
      this.box.value = "";
      this.#list();
    } else if (event.key === "Enter" && this.shown.length) {
      event.preventDefault();
      this.seek(this.shown[0].start);
    }
    event.stopPropagation(); // letters are no commands here
  }
}
