// The chips under the search box: a picture, what to add, what to take away, what comes after.

import * as api from "./api.js";
import { button, el, icon } from "./dom.js";
import { clock, name } from "./format.js";
import { kept } from "./pictures.js";

const KINDS = {
  plus: { icon: "plus", words: "and", hint: "and also …", help: "Add to what is searched for" },
  minus: { icon: "minus", words: "without", hint: "but without …", help: "Take away from it" },
  then: { icon: "then", words: "then", hint: "and soon after …", help: "What follows, in the same video" },
};
const WITHIN = ["5", "10", "30", "60", "300"];

/** Shows a query's chips in `place`; `change(part)` is called with what the user made of them. */
export class Chips {
  constructor(place, change, paths) {
    Object.assign(this, { place, change, paths });
  }

  show(query) {
    if (this.place.contains(document.activeElement) && this.#same(query)) return;
    this.query = query;
    const { plus, minus, then, image, picture } = query;
    const chips = [
      image && this.#frame(image),
      picture && this.#picture(picture),
      ...plus.map((text, at) => this.#text("plus", text, at)),
      ...minus.map((text, at) => this.#text("minus", text, at)),
      then && this.#text("then", then),
    ].filter(Boolean);
    this.place.replaceChildren(...chips, ...this.#adders(query));
  }

  /** Whether the chips show that already, so that who types in one is not disturbed. */
  #same(query) {
    const shown = (one) => JSON.stringify([one.plus, one.minus, one.then, one.image, one.picture]);
    return this.query && shown(query) === shown(this.query);
  }

  #adders(query) {
    return Object.entries(KINDS)
      .filter(([kind]) => kind !== "then" || !query.then)
      .map(([kind, { icon, words, help }]) =>
        button(icon, words, (event) => this.#open(event.currentTarget, kind), {
          class: "adder", title: help, "data-kind": kind,
        }),
      );
  }

  /** Put an empty chip before the button that was pressed, and type into it. */
  #open(adder, kind) {
    const chip = this.#text(kind, "");
    adder.before(chip);
    chip.querySelector("input").focus();
  }

  #text(kind, text, at) {
    const { icon: sign, words, hint } = KINDS[kind];
    const input = el("input", {
      type: "text", value: text, placeholder: hint, "aria-label": `${words}: ${text || hint}`,
      size: Math.max(9, text.length), spellcheck: "false", enterkeyhint: "search",
    });
    const done = () => {
      const now = input.value.trim();
      if (now !== text) this.#set(kind, now, at);
      else if (!now) this.show(this.query);
    };
    input.addEventListener("input", () => (input.size = Math.max(9, input.value.length)));
    input.addEventListener("change", done);
    input.addEventListener("blur", () => !input.value.trim() && !text && chip.remove());
    input.addEventListener("keydown", (event) => {
      if (event.key === "Enter") {
        event.preventDefault();
        input.blur();
      } else if (event.key === "Escape") {
        event.stopPropagation();
        input.value = text;
        input.blur();
      }
    });
    const within = kind === "then" && text ? this.#within() : null;
    const remove = button("close", `Remove: ${words} ${text}`, () => this.#set(kind, "", at), {
      hidden: true, class: "bare",
    });
    const chip = el("span", { class: `chip ${kind}` }, icon(sign), input, within, remove);
    return chip;
  }

  #within() {
    const now = this.query.within || "10";
    const choices = WITHIN.includes(now) ? WITHIN : [...WITHIN, now];
    const choose = el("select", { "aria-label": "It starts within" },
      ...choices.map((s) => el("option", { value: s, selected: s === now },
        s === "300" ? "within 5 min" : `within ${s} s`)));
    choose.addEventListener("change", () => this.change({ within: choose.value }));
    return choose;
  }

  #set(kind, text, at) {
    if (kind === "then") return this.change({ then: text });
    const list = [...this.query[kind]];
    list.splice(at ?? list.length, at === undefined ? 0 : 1, ...(text ? [text] : []));
    return this.change({ [kind]: list });
  }

  #frame(image) {
    const cut = image.lastIndexOf("@");
    const [id, t] = [image.slice(0, cut), Number(image.slice(cut + 1))];
    const shown = el("img", { src: api.thumbnail(id, t), alt: "" });
    shown.addEventListener("error", () => shown.remove());
    const path = this.paths(id);
    const words = `like ${path ? `${name(path)} at ` : ""}${clock(t, true)}`;
    return this.#pictureChip(shown, words, { image: "" });
  }

  #picture(id) {
    const canvas = el("canvas", { width: 64, height: 48 });
    const blob = kept(id);
    if (blob) {
      createImageBitmap(blob).then((bitmap) => {
        canvas.width = Math.round((48 * bitmap.width) / bitmap.height);
        canvas.getContext("2d").drawImage(bitmap, 0, 0, canvas.width, 48);
      }, () => canvas.remove());
    }
    return this.#pictureChip(canvas, "like your picture", { picture: "" });
  }

  #pictureChip(shown, words, without) {
    const remove = button("close", `Remove: ${words}`, () => this.change(without), {
      hidden: true, class: "bare",
    });
    return el("span", { class: "chip sample" }, shown, el("span", {}, words), remove);
  }
}
