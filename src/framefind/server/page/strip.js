// The heat strip: how well every part of a video answers the query, and the way through it.

import * as api from "./api.js";
import { el } from "./dom.js";
import { clock } from "./format.js";

const STEP = 1; // seconds, by an arrow key
const LEAP = 10; // by Page Up and Page Down
const MOST = 1000; // words that are marked: more are closer together than pixels

export class Strip {
  /** `seek(t)` is called when the user chooses a time. */
  constructor(seek) {
    this.seek = seek;
    this.canvas = el("canvas", { "aria-hidden": "true" });
    this.marks = el("div", { class: "marks" });
    this.words = el("div", { class: "words" });
    this.head = el("div", { class: "head" });
    this.preview = el("div", { class: "preview", hidden: true });
    this.element = el("div", {
      class: "strip", role: "slider", tabindex: "0", "aria-label": "Time in the video",
      "aria-valuemin": "0",
    }, this.canvas, this.words, this.marks, this.head, this.preview);
    this.element.addEventListener("pointerdown", (event) => this.#drag(event));
    this.element.addEventListener("pointermove", (event) => this.#hover(event));
    this.element.addEventListener("pointerleave", () => (this.preview.hidden = true));
    this.element.addEventListener("keydown", (event) => this.#key(event));
    new ResizeObserver(() => this.draw()).observe(this.element);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  /** Show a video without scores yet: its length, its moments, the one that plays. */
  show(id, duration, moments, current) {
    Object.assign(this, { id, duration: undefined, scores: null, cues: [], moments, current });
    this.last(duration);
    this.at(current.start ?? 0);
  }

  /** Let the strip stand for so many seconds; 0 while that is not known. */
  last(duration) {
    if (duration === this.duration) return;
    this.duration = duration;
    this.element.setAttribute("aria-valuemax", duration.toFixed(1));
    const { moments, current } = this;
    this.marks.replaceChildren(...(duration ? [
      ...moments.map((one) => this.#mark(one === current ? "mark-now" : "mark-other", one)),
      ...(current.then ? [this.#mark("mark-then", current.then)] : []),
    ] : []));
    this.say(this.cues);
    this.draw();
  }

  /** Show when the words are said or written that are looked for. */
  say(cues) {
    this.cues = cues;
    const shown = this.duration ? cues.slice(0, MOST) : [];
    this.words.replaceChildren(...shown.map((cue) => this.#mark("word", cue)));
  }

  #mark(kind, { start, end }) {
    const made = el("span", { class: kind });
    made.style.left = `${(100 * start) / this.duration}%`;
    made.style.width = `${(100 * (end - start)) / this.duration}%`;
    return made;
  }

  heat(scores) {
    this.scores = scores;
    this.element.classList.toggle("hot", Boolean(scores?.times.length));
    this.draw();
  }

  /** Move the playhead. */
  at(t) {
    this.time = t;
    const part = this.duration ? Math.min(1, Math.max(0, t / this.duration)) : 0;
    this.head.style.left = `${part * 100}%`;
    this.element.setAttribute("aria-valuenow", t.toFixed(1));
    const all = this.duration ? ` of ${clock(this.duration)}` : "";
    this.element.setAttribute("aria-valuetext", `${clock(t)}${all}`);
  }

  /** A column's height says how well it answers among this video's, its strength how surely. */
  draw() {
    const { width, height } = this.canvas.getBoundingClientRect();
    if (!width) return;
    const density = devicePixelRatio || 1;
    this.canvas.width = Math.round(width * density);
    this.canvas.height = Math.round(height * density);
    if (!this.scores?.times.length || !this.duration) return;
    const context = this.canvas.getContext("2d");
    context.fillStyle = getComputedStyle(this.element).color;
    const { best, sure } = this.#columns(this.canvas.width);
    const known = best.filter(Number.isFinite);
    const low = Math.min(...known);
    const range = Math.max(...known) - low || 1;
    best.forEach((score, x) => {
      if (!Number.isFinite(score)) return;
      const part = 0.08 + 0.92 * ((score - low) / range) ** 1.5;
      context.globalAlpha = 0.25 + 0.75 * Math.min(1, sure[x] * 1.5);
      context.fillRect(x, this.canvas.height * (1 - part), 1, this.canvas.height * part);
    });
  }

  /** The best score and confidence among the frames that each column of pixels stands for. */
  #columns(width) {
    const { times, scores, confidences } = this.scores;
    const best = new Array(width).fill(-Infinity);
    const sure = new Array(width).fill(0);
    const x = (t) => Math.floor((width * t) / this.duration);
    times.forEach((t, at) => {
      const until = times[at + 1] ?? this.duration;
      const last = Math.max(x(t) + 1, Math.min(width, x(until)));
      for (let column = Math.max(0, x(t)); column < last && column < width; column += 1) {
        best[column] = Math.max(best[column], scores[at]);
        sure[column] = Math.max(sure[column], confidences[at]);
      }
    });
    return { best, sure };
  }

  #time(event) {
    const area = this.element.getBoundingClientRect();
    const part = (event.clientX - area.left) / area.width;
    return Math.min(1, Math.max(0, part)) * this.duration;
  }

  #drag(event) {
    if (event.button || !this.duration) return;
    this.element.setPointerCapture(event.pointerId);
    this.seek(this.#time(event));
    const move = (moved) => this.seek(this.#time(moved));
    this.element.addEventListener("pointermove", move);
    this.element.addEventListener("lostpointercapture", () => {
      this.element.removeEventListener("pointermove", move);
    }, { once: true });
  }

  #hover(event) {
    if (event.pointerType !== "mouse" || !this.duration) return;
    const t = this.#time(event);
    if (!this.picture) {
      this.picture = el("img", { alt: "" });
      this.picture.addEventListener("error", () => (this.picture.hidden = true));
      this.picture.addEventListener("load", () => (this.picture.hidden = false));
      this.says = el("span");
      this.preview.append(this.picture, this.says);
    }
    const source = api.thumbnail(this.id, this.#sampled(t));
    if (this.picture.getAttribute("src") !== source) this.picture.src = source;
    this.says.textContent = clock(t);
    this.preview.hidden = false;
    const half = this.preview.offsetWidth / 2;
    const { left, width } = this.element.getBoundingClientRect();
    const x = Math.min(Math.max(event.clientX - left, half), width - half);
    this.preview.style.left = `${x}px`;
  }

  /** The sampled frame that stands for a time, so that no picture is fetched twice. */
  #sampled(t) {
    const times = this.scores?.times;
    if (!times?.length) return Math.floor(t);
    let low = 0;
    let high = times.length - 1;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (times[middle] <= t) low = middle;
      else high = middle - 1;
    }
    return times[low];
  }

  #key(event) {
    const steps = {
      ArrowLeft: -STEP, ArrowDown: -STEP, ArrowRight: STEP, ArrowUp: STEP,
      PageDown: -LEAP, PageUp: LEAP, Home: -Infinity, End: Infinity,
    };
    const step = steps[event.key];
    if (step === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    const end = this.duration || (step === Infinity ? this.time : Infinity);
    this.seek(Math.min(end, Math.max(0, this.time + step)));
  }
}
