// The subtitles of the video that plays: its cues as text tracks of the player.

import * as api from "./api.js";
import { el } from "./dom.js";

const KINDS = { subtitles: "Subtitles", speech: "Speech" }; // what is on screen is seen anyway
const NAMES = new Intl.DisplayNames(["en"], { type: "language" });

export class Subtitles {
  constructor(media) {
    Object.assign(this, { media, cues: [], on: false });
  }

  get exist() {
    return this.cues.some((cue) => KINDS[cue.source]);
  }

  /** Make a track of each source and language; the clock of what plays starts at `offset`. */
  show(id, cues, offset) {
    Object.assign(this, { id, cues });
    this.from(offset);
  }

  /** Make the tracks again for a stream that starts elsewhere. */
  from(offset) {
    this.media.replaceChildren(...this.#tracks().map(({ source, language }) =>
      el("track", {
        kind: "subtitles", srclang: language || "und", label: label(source, language),
        src: api.subtitles(this.id, source, language, offset),
      })));
    this.turn(this.on);
  }

  /** Show the first track, or none. */
  turn(on) {
    this.on = on;
    [...this.media.textTracks].forEach((track, at) => {
      track.mode = on && at === 0 ? "showing" : "disabled";
    });
  }

  #tracks() {
    const tracks = new Map();
    for (const source of Object.keys(KINDS)) {
      for (const cue of this.cues) {
        if (cue.source === source) tracks.set(`${source} ${cue.language}`, cue);
      }
    }
    return [...tracks.values()];
  }
}

function label(source, language) {
  let name = "";
  try {
    name = language && NAMES.of(language);
  } catch { // what a file says is not always the code of a language
    name = language;
  }
  return name ? `${KINDS[source]}, ${name}` : KINDS[source];
}
