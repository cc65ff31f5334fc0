// The filters: by folder, date, length, part of the video, confidence.

import { el, icon } from "./dom.js";
import { folder, percent, seconds } from "./format.js";
import { FILTERS, filtered } from "./query.js";

const FIELDS = {
  video: { label: "Folder, file or pattern", type: "text", list: "folders", placeholder: "any", wide: true },
  after: { label: "From (date)", type: "date" },
  before: { label: "Before (date)", type: "date" },
  min_duration: { label: "At least as long as", type: "time", placeholder: "0:30" },
  max_duration: { label: "At most as long as", type: "time", placeholder: "1:00:00" },
  from: { label: "Not before, in the video", type: "time", placeholder: "0:00" },
  to: { label: "Not after, in the video", type: "time", placeholder: "end" },
  min_confidence: { label: "Confidence at least", type: "range" },
};

/** The panel with the filters; `change(part)` is called with what the user sets. */
export class Filters {
  constructor(panel, opener, change) {
    Object.assign(this, { panel, opener, change, inputs: {} });
    this.folders = el("datalist", { id: "folders" });
    const clear = el("button", { type: "button", class: "quiet", onclick: () => this.clear() }, "Clear all");
    panel.replaceChildren(
      el("legend", { class: "unseen" }, "Filters"),
      ...Object.entries(FIELDS).map(([name, field]) => this.#field(name, field)),
      clear,
      this.folders,
    );
    opener.addEventListener("click", () => this.toggle());
    panel.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      this.toggle(false);
      opener.focus();
    });
  }

  show(query) {
    for (const [name, input] of Object.entries(this.inputs)) {
      if (document.activeElement === input) continue;
      input.value = query[name] || (FIELDS[name].type === "range" ? "0" : "");
      input.setCustomValidity("");
    }
    this.#sayConfidence();
    const set = filtered(query);
    this.opener.replaceChildren(icon("filter"), set ? el("b", { class: "badge" }, String(set)) : "");
    this.opener.setAttribute("aria-label", set ? `Filters, ${set} set` : "Filters");
  }

  toggle(open = this.panel.hidden, focus = open) {
    this.panel.hidden = !open;
    this.opener.setAttribute("aria-expanded", String(open));
    if (focus) this.inputs.video.focus();
  }

  clear() {
    this.change(Object.fromEntries(FILTERS.map((name) => [name, ""])));
  }

  /** Offer the folders of these paths, and those above them that they share. */
  offer(paths) {
    const found = new Set();
    for (const path of paths) {
      for (let at = folder(path), depth = 0; at && depth < 3; at = folder(at), depth += 1) found.add(at);
    }
    const sorted = [...found].sort().slice(0, 500);
    this.folders.replaceChildren(...sorted.map((path) => el("option", { value: path })));
  }

  #field(name, { label, type, list, placeholder, wide }) {
    const kinds = { date: "date", range: "range" };
    const input = el("input", {
      id: `filter-${name}`, type: kinds[type] ?? "text", list, placeholder,
      ...(type === "range" ? { min: 0, max: 0.99, step: 0.01, value: "0" } : {}),
      ...(type === "time" ? { inputmode: "numeric" } : {}),
    });
    this.inputs[name] = input;
    const title = el("label", { for: input.id }, label);
    if (type === "range") {
      this.sure = el("output", { for: input.id });
      title.append(" ", this.sure);
      input.addEventListener("input", () => this.#sayConfidence());
    }
    input.addEventListener("change", () => this.#changed(name, type, input));
    return el("div", { class: wide ? "field wide" : "field" }, title, input);
  }

  #changed(name, type, input) {
    let value = input.value.trim();
    if (type === "range" && Number(value) === 0) value = "";
    const wrong = type === "time" && value && seconds(value) === null;
    input.setCustomValidity(wrong ? "Use seconds such as 90, or 1:30, or 0:01:30" : "");
    if (!input.reportValidity()) return;
    this.change({ [name]: value });
  }

  #sayConfidence() {
    const value = Number(this.inputs.min_confidence.value);
    this.sure.textContent = value ? percent(value) : "any";
    this.inputs.min_confidence.setAttribute("aria-valuetext", this.sure.textContent);
  }
}
