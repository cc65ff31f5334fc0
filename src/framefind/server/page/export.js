// Chosen moments, and the form that hands them over as a file.

import * as api from "./api.js";
import { announce, el, icon, toast } from "./dom.js";
import { count } from "./format.js";

const FORMATS = [
  ["clips", "Clips (video files)"],
  ["reel", "One film of all"],
  ["otio", "OpenTimelineIO (Resolve)"],
  ["fcpxml", "Final Cut Pro (FCPXML)"],
  ["fcp7", "Premiere (XML)"],
  ["edl", "EDL"],
  ["resolve-edl", "Resolve markers"],
  ["m3u", "Playlist (VLC)"],
  ["csv", "Table (CSV)"],
  ["html", "Report (HTML)"],
  ["pdf", "Sheet (PDF)"],
];

/** Below the results' heading, from the first chosen moment on. */
export class Export {
  constructor(place, title) {
    Object.assign(this, { place, title, chosen: new Set() });
    this.many = el("span", {});
    this.format = el("select", { "aria-label": "Format" },
      ...FORMATS.map(([name, words]) => el("option", { value: name }, words)));
    this.send = el("button", { type: "submit" }, icon("download"), el("span", {}, "Export"));
    const none = el("button", { type: "button", class: "quiet", onclick: () => this.clear() }, "Choose none");
    place.append(this.many, this.format, this.send, none);
    place.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#export();
    });
  }

  /** A box that chooses a moment, which `says` what it shows. */
  box(moment, says) {
    const input = el("input", { type: "checkbox", "aria-label": `Choose ${says}` });
    input.addEventListener("change", () => {
      if (input.checked) this.chosen.add(moment);
      else this.chosen.delete(moment);
      this.#show();
    });
    return el("label", { class: "choose", title: "Choose for export" }, input);
  }

  clear() {
    this.chosen.clear();
    for (const input of document.querySelectorAll(".choose input:checked")) input.checked = false;
    this.#show();
  }

  #show() {
    this.place.hidden = !this.chosen.size;
    this.many.textContent = `${count(this.chosen.size, "moment")} chosen`;
  }

  async #export() {
    this.send.disabled = true;
    announce("Exporting");
    try {
      const { file, name, failed } = await api.exported([...this.chosen], this.format.value, this.title());
      const link = el("a", { href: URL.createObjectURL(file), download: name });
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
      toast(failed ? `${name}, without ${count(failed, "moment")} that could not be read` : name);
    } catch (error) {
      toast(error.message);
    } finally {
      this.send.disabled = false;
    }
  }
}
