// Moving the pointer over a moment runs through its frames.

import * as api from "./api.js";
import { el } from "./dom.js";

const WIDTH = 480; // pixels
const WAIT = 120; // ms before anything is fetched: a pointer that passes by asks for nothing

/** Let the pointer scrub through `moment` on its `picture`, inside `card`. */
export function scrub(card, picture, moment) {
  const length = moment.end - moment.start;
  const steps = Math.min(16, Math.max(4, Math.round(length * 2)));
  const frames = new Map(); // step → a decoded picture, or null if it cannot be had
  let shown, line, wanted, loading, timer;

  const time = (step) => moment.start + (length * (step + 0.5)) / steps;

  function draw() {
    const frame = frames.get(wanted);
    if (!frame || !shown) return;
    shown.replaceChildren(frame);
  }

  async function load() {
    if (loading || wanted === undefined) return;
    const next = frames.has(wanted) ? ahead() : wanted;
    if (next === undefined) return;
    loading = true;
    const image = el("img", { src: api.frame(moment.video_id, time(next).toFixed(3), WIDTH), alt: "" });
    frames.set(next, await image.decode().then(() => image, () => null));
    loading = false;
    draw();
    load();
  }

  /** The nearest frame that was not fetched yet. */
  function ahead() {
    for (let far = 1; far < steps; far += 1) {
      for (const step of [wanted + far, wanted - far]) {
        if (step >= 0 && step < steps && !frames.has(step)) return step;
      }
    }
    return undefined;
  }

  card.addEventListener("pointerenter", (event) => {
    if (event.pointerType !== "mouse") return;
    timer = setTimeout(() => {
      shown = el("span", { class: "scrubbed" });
      line = el("span", { class: "scrub-line" });
      picture.append(shown, line);
      draw();
      load();
    }, WAIT);
  });
  card.addEventListener("pointermove", (event) => {
    const area = picture.getBoundingClientRect();
    const part = Math.min(0.999, Math.max(0, (event.clientX - area.left) / area.width));
    wanted = Math.floor(part * steps);
    if (!shown) return;
    line.style.setProperty("--at", part);
    draw();
    load();
  });
  card.addEventListener("pointerleave", () => {
    clearTimeout(timer);
    shown?.remove();
    line?.remove();
    shown = line = wanted = undefined;
  });
}
