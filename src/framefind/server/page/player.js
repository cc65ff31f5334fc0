// The player: a dialog with the video, the heat strip, and what one can do with a moment.

import * as api from "./api.js";
import { announce, button, el, icon, toast } from "./dom.js";
import { clock, confidence, folder, name, span } from "./format.js";
import { Playback, playable } from "./playback.js";
import { asks, onlyFilters } from "./query.js";
import { Strip } from "./strip.js";
import { Subtitles } from "./subtitles.js";
import { Transcript } from "./transcript.js";

const BEFORE = 1; // seconds that are played before the moment starts

export class Player {
  /**
   * `siblings(id)` gives the known moments of a video, `rank(moment)` says which of all it is;
   * `go(moment)` opens another one, `step(±1)` its neighbour in rank.
   */
  constructor(dialog, { siblings, rank, go, step, like, closed }) {
    Object.assign(this, { dialog, siblings, rank, go, step, like });
    this.media = el("video", { playsinline: true, preload: "auto", tabindex: "-1" });
    this.playback = new Playback(this.media);
    this.subtitles = new Subtitles(this.media);
    this.strip = new Strip((t) => this.playback.seek(t));
    this.transcript = new Transcript((t) => this.playback.seek(t), (cues) => this.strip.say(cues));
    this.#build();
    this.media.addEventListener("click", () => this.playback.toggle());
    this.playback.addEventListener("change", () => this.#follow());
    this.playback.addEventListener("load", () => this.subtitles.from(this.playback.offset));
    this.playback.addEventListener("trouble", (event) => this.#trouble(event.detail));
    dialog.addEventListener("keydown", (event) => this.#key(event));
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
    dialog.addEventListener("close", () => {
      this.loading?.abort();
      this.playback.close();
      cancelAnimationFrame(this.ticking);
      closed(this.moment);
    });
  }

  get isOpen() {
    return this.dialog.open;
  }

  /** Play a moment, or (`moment.whole`) a video from `t` on, in answer to `query`. */
  async open(moment, query) {
    this.loading?.abort();
    const { signal } = (this.loading = new AbortController());
    Object.assign(this, { moment, query });
    const start = moment.whole ? moment.t : Math.max(0, moment.start - BEFORE);
    this.#describe(moment);
    this.playback.wait(start); // nothing of the video before stays
    this.strip.show(moment.video_id, 0, [], moment);
    this.#read([]);
    this.#follow();
    if (!this.dialog.open) this.dialog.showModal();
    // Else a browser takes the first button, which closes; then Space would.
    if (!this.theatre.contains(document.activeElement)) this.toggler.focus();
    this.#tick();
    try {
      const video = await playable(moment.video_id, start, signal);
      this.#know(video);
      this.playback.open(video, start);
      this.strip.at(start);
      if (video.cues) this.#listen(signal);
    } catch (error) {
      if (error.name !== "AbortError") this.#trouble(error.message);
      return;
    }
    if (!asks(query)) return;
    try {
      this.strip.heat(await api.scores(moment.video_id, query, signal));
    } catch (error) { // the video plays all the same
      if (error.name !== "AbortError") toast(`The strip stays empty: ${error.message}`);
    }
  }

  close() {
    this.dialog.close();
  }

  /** Fetch what is said and written in the video. */
  async #listen(signal) {
    try {
      this.#read(await api.cues(this.moment.video_id, signal));
    } catch (error) { // the video plays all the same
      if (error.name !== "AbortError") toast(`There is no transcript: ${error.message}`);
    }
  }

  #read(cues) {
    this.subtitles.show(this.moment.video_id, cues, this.playback.offset);
    this.captioner.hidden = !this.subtitles.exist;
    this.transcript.show(cues, this.query.q);
    this.dialog.classList.toggle("transcribed", cues.length > 0);
    this.#follow();
  }

  #build() {
    const act = (sign, words, does, more) => button(sign, words, does, { class: "bare", hidden: true, ...more });
    this.title = el("h2", { id: "player-name" });
    this.where = el("p", { class: "folder" });
    this.note = el("p", { class: "note", role: "alert", hidden: true });
    this.toggler = act("play", "Play (Space)", () => this.playback.toggle());
    this.clock = el("span", { class: "clock" });
    this.place = el("span", { class: "place" });
    this.muter = act("sound", "Mute (M)", () => this.#mute());
    this.captioner = act("subtitles", "Subtitles (C)", () => this.#caption(), { "aria-pressed": "false" });
    const stage = el("div", { class: "stage" }, this.media, this.note, el("span", { class: "spinner", "aria-hidden": "true" }));
    const controls = el("div", { class: "controls" },
      this.toggler, this.clock,
      el("span", { class: "steps" },
        act("previous", "Previous moment ([)", () => this.step(-1)), this.place,
        act("next", "Next moment (])", () => this.step(1))),
      this.captioner, this.muter, act("fullscreen", "Full screen (F)", () => this.#fullscreen()));
    this.theatre = el("div", { class: "theatre" }, stage, this.strip.element, controls);
    controls.addEventListener("click", ({ detail }) => detail && this.toggler.focus()); // by pointer
    this.facts = el("p", { class: "about" });
    this.download = el("a", { class: "action", download: "" }, icon("download"), el("span", {}, "Download clip"));
    const actions = el("div", { class: "actions" },
      button("similar", "More like this", () => this.like(this.moment.video_id, this.playback.time), {
        class: "action", title: "Search for what looks like the frame that is shown",
      }),
      button("clock", "Copy time", () => copy(clock(this.playback.time, true), "time"), { class: "action" }),
      button("copy", "Copy path", () => copy(this.moment.path, "path"), { class: "action" }),
      this.download);
    this.others = el("ul", { class: "others", "aria-label": "Moments of this video" });
    this.dialog.replaceChildren(el("div", { class: "sheet" },
      el("header", {}, el("div", { class: "names" }, this.title, this.where),
        act("close", "Close (Esc)", () => this.dialog.close())),
      el("div", { class: "scene" }, this.theatre, this.transcript.element), el("div", { class: "below" }, this.facts, actions), this.others));
  }

  #describe(moment) {
    this.title.textContent = name(moment.path ?? "");
    this.where.textContent = folder(moment.path ?? "");
    this.note.hidden = true;
    this.dialog.classList.remove("failed");
    this.media.poster = moment.thumbnail ?? api.thumbnail(moment.video_id, moment.t);
    const moments = this.siblings(moment.video_id);
    this.place.textContent = this.rank(moment);
    this.place.parentElement.hidden = Boolean(moment.whole);
    this.facts.replaceChildren();
    if (!moment.whole) {
      this.facts.append(el("b", {}, span(moment)), confidence(moment),
        ...(moment.then ? [`then ${clock(moment.then.start)} – ${clock(moment.then.end)}`] : []));
      announce(`${name(moment.path)}, ${span(moment)}`);
    }
    const end = moment.then ? Math.max(moment.end, moment.then.end) : moment.end;
    this.download.hidden = Boolean(moment.whole);
    this.download.href = moment.whole ? "#" : api.clip(moment.video_id, moment.start, end);
    this.others.hidden = moments.length < 2;
    this.others.replaceChildren(...moments.map((other) => this.#other(other, moment)));
    this.others.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  #other(other, moment) {
    const now = other === moment;
    return el("li", {}, el("button", {
      type: "button", "aria-current": now ? "true" : null, onclick: () => this.go(other),
    }, el("img", { src: other.thumbnail, alt: "", loading: "lazy" }), el("span", {}, clock(other.start))));
  }

  #know(video) {
    const { moment } = this;
    moment.path ??= video.path;
    this.title.textContent = name(video.path);
    this.where.textContent = folder(video.path);
    if (moment.whole) {
      const length = video.duration ? [clock(video.duration)] : [];
      this.facts.textContent = [`${video.width} × ${video.height}`, video.codec, ...length].join(" · ");
    }
    const { stream } = video;
    if (stream && stream.kind !== "file") {
      this.facts.append(el("span", { class: "made", title: stream.why ?? "" },
        stream.kind === "remux" ? "repacked for this browser" : "converted for this browser"));
    }
    this.strip.show(video.video_id, video.duration ?? 0, this.siblings(video.video_id), moment);
  }

  #trouble(words) {
    this.note.textContent = words;
    this.note.hidden = false;
    this.dialog.classList.add("failed");
  }

  /** Follow the playback on every picture of the screen: `timeupdate` comes four times a second. */
  #tick() {
    cancelAnimationFrame(this.ticking);
    const tick = () => {
      if (!this.media.paused) this.#follow();
      this.ticking = requestAnimationFrame(tick);
    };
    tick();
  }

  #follow() {
    const { time, duration } = this.playback;
    this.strip.last(duration);
    this.strip.at(time);
    this.transcript.at(time);
    this.clock.textContent = duration ? `${clock(time)} / ${clock(duration)}` : clock(time);
    const { paused, muted, readyState } = this.media;
    const waiting = !paused && readyState < 3 && this.note.hidden;
    this.dialog.classList.toggle("waiting", waiting);
    relabel(this.toggler, paused ? "play" : "pause", paused ? "Play (Space)" : "Pause (Space)");
    relabel(this.muter, muted ? "muted" : "sound", muted ? "Sound on (M)" : "Mute (M)");
  }

  #mute() {
    this.media.muted = !this.media.muted;
    this.#follow();
  }

  #caption() {
    this.subtitles.turn(!this.subtitles.on);
    this.captioner.setAttribute("aria-pressed", String(this.subtitles.on));
  }

  #fullscreen() {
    if (document.fullscreenElement) document.exitFullscreen();
    else this.theatre.requestFullscreen?.().catch(() => {});
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const onControl = event.target.closest("button, a, input");
    const keys = {
      "[": () => this.step(-1),
      "]": () => this.step(1),
      ArrowLeft: () => this.playback.seek(this.playback.time - 1),
      ArrowRight: () => this.playback.seek(this.playback.time + 1),
      m: () => this.#mute(),
      c: () => this.#caption(),
      f: () => this.#fullscreen(),
      ...(onControl ? {} : { " ": () => this.playback.toggle(), Enter: () => this.playback.toggle() }),
    };
    const act = keys[event.key];
    if (!act) return;
    event.preventDefault();
    event.stopPropagation();
    act();
  }
}

function relabel(control, sign, words) {
  if (control.title === words) return;
  control.firstChild.className = `icon icon-${sign}`;
  control.title = words;
  control.setAttribute("aria-label", words);
}

async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
    toast(`Copied the ${what}: ${text}`);
  } catch {
    toast(`The browser does not let it be copied: ${text}`);
  }
}

/** The same filters, but in search of what looks like that frame. */
export const likeFrame = (query, id, t) => ({ ...onlyFilters(query), image: `${id}@${Number(t.toFixed(3))}` });
