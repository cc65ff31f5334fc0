// Moments as cards, grouped by the video they are in.

import * as api from "./api.js";
import { button, el } from "./dom.js";
import { about, clock, confidence, count, folder, name, span } from "./format.js";
import { scrub } from "./scrub.js";

const FEW = 8; // of one video, when there are others: the rest is a press away
const WEAK = 0.1; // confidence below which results are said to be weak

/** The name that the address has for a moment that plays. */
export const key = (moment) => `${moment.video_id}@${moment.t}`;

/** The groups of moments on the page. */
export class Results {
  constructor(place, { open, like, href, choose }) {
    Object.assign(this, { place, open, like, href, choose });
    this.clear();
    new ResizeObserver(() => this.fit()).observe(place);
  }

  clear() {
    this.moments = [];
    this.groups = new Map();
    this.weak = false;
    this.lists = [];
    this.place.replaceChildren();
  }

  /** Append a page of moments, best first; those of a video that is there join their group. */
  append(moments) {
    if (!this.moments.length) this.place.replaceChildren();
    for (const moment of moments) {
      this.moments.push(moment);
      this.#group(moment).add(moment);
    }
    const alone = this.groups.size === 1;
    for (const group of this.groups.values()) group.fold(alone ? Infinity : FEW);
    this.fit();
  }

  /** The video's moments that are known, in the order of time. */
  of(id) {
    return this.moments.filter((one) => one.video_id === id).sort((a, b) => a.start - b.start);
  }

  find(wanted) {
    return this.moments.find((moment) => key(moment) === wanted);
  }

  card(moment) {
    return this.place.querySelector(`[data-key="${CSS.escape(key(moment))}"]`);
  }

  cards() {
    return [...this.place.querySelectorAll("a.card")].filter((card) => card.offsetParent);
  }

  #group(moment) {
    const known = this.groups.get(moment.video_id);
    if (known) return known;
    if (!this.weak && moment.confidence < WEAK) {
      this.weak = true;
      const words = this.groups.size ? "Weak matches" : "Nothing matches well; this comes closest";
      this.#list(el("p", { class: "divider" }, words));
    } else if (!this.lists.length) {
      this.#list();
    }
    const group = new Group(moment, this);
    this.groups.set(moment.video_id, group);
    this.lists.at(-1).append(group.element);
    return group;
  }

  /** Begin another list of groups, below the others and a line of words. */
  #list(divider = "") {
    const list = el("div", { class: "groups" });
    this.lists.push(list);
    this.place.append(divider, list);
  }

  /** Let every group take as many columns as it has cards, but no more than there are. */
  fit() {
    if (!this.lists.length) return;
    const columns = getComputedStyle(this.lists[0]).gridTemplateColumns.split(" ").length;
    for (const group of this.groups.values()) {
      group.element.style.gridColumn = `span ${Math.min(columns, group.shown)}`;
    }
  }
}

/** One video's heading and cards. */
class Group {
  constructor(moment, results) {
    this.results = results;
    this.moments = [];
    this.many = el("span", { class: "many" });
    this.list = el("ol", { class: "cards" });
    this.more = el("button", { type: "button", class: "quiet more" });
    this.more.addEventListener("click", () => this.#unfold());
    const title = el("h2", { title: moment.path, dir: "auto" }, el("span", { class: "name" }, name(moment.path)));
    this.element = el("section", { class: "group", "aria-label": name(moment.path) },
      el("div", { class: "heading" }, title, this.many,
        el("span", { class: "folder", title: moment.path }, name(folder(moment.path)))),
      this.list, this.more);
  }

  add(moment) {
    this.moments.push(moment);
    this.list.append(el("li", {}, ...card(moment, this.results)));
  }

  /** Hide all cards but the first `few`, unless the user has asked for all. */
  fold(few) {
    this.few = this.unfolded ? Infinity : few;
    this.shown = Math.min(this.few, this.moments.length);
    [...this.list.children].forEach((item, at) => (item.hidden = at >= this.few));
    this.many.textContent = this.moments.length > 1 ? count(this.moments.length, "moment") : "";
    this.more.hidden = this.shown === this.moments.length;
    this.more.textContent = `${this.moments.length - this.shown} more in this video`;
  }

  #unfold() {
    this.unfolded = true;
    const first = this.shown;
    this.fold(Infinity);
    this.results.fit();
    this.list.children[first].querySelector("a").focus();
  }
}

/** A moment's card: a link that plays it, a button that looks for more like it, a box to choose it. */
function card(moment, results) {
  const says = `${name(moment.path)}, ${clock(moment.start)} to ${clock(moment.end)}, ` +
    confidence(moment);
  const shown = picture(moment);
  const link = el("a", {
    class: "card", href: results.href(moment), "aria-label": says, "data-key": key(moment),
    onclick: (event) => {
      if (event.metaKey || event.ctrlKey || event.shiftKey) return; // a new tab or window
      event.preventDefault();
      results.open(moment);
    },
  }, shown, el("span", { class: "caption" },
    el("span", { class: "time" }, el("span", { class: "span" }, span(moment)), then(moment)),
    sureness(moment)), why(moment));
  const like = button("similar", "More like this", () => results.like(moment.video_id, moment.t), {
    hidden: true, class: "like",
  });
  scrub(link, shown, moment);
  return [link, like, results.choose(moment, says)];
}

function then(moment) {
  if (!moment.then) return null;
  // The space stands outside, so that the line may break there.
  return el("span", {}, " ", el("span", { class: "then" }, `then ${clock(moment.then.start)}`));
}

/** The words that match in a moment, with the matches marked; nothing for pictures. */
export function why(moment) {
  const match = (moment.why ?? []).find(({ text }) => text);
  if (!match) return null;
  const letters = [...match.text]; // spans count characters, not UTF-16 units
  const parts = [];
  let at = 0;
  for (const [start, end] of match.spans) {
    parts.push(letters.slice(at, start).join(""), el("mark", {}, letters.slice(start, end).join("")));
    at = end;
  }
  return el("q", { class: "words", dir: "auto", title: match.kind }, ...parts, letters.slice(at).join(""));
}

/** The confidence in words and as a bar. */
export function sureness(moment) {
  const bar = el("span", { class: "level" });
  bar.style.setProperty("--level", moment.confidence);
  const title = `Confidence: ${confidence(moment)}; score ${moment.score.toFixed(1)}`;
  return el("span", { class: "sure", title }, bar, confidence(moment));
}

/** The best frame with the part that matches, in a cell of 16:9. */
function picture(moment) {
  const image = el("img", { alt: "", loading: "lazy", decoding: "async", src: moment.thumbnail });
  const fit = el("span", { class: "fit" }, image, box(moment.box));
  image.addEventListener("load", () => {
    const aspect = image.naturalWidth / image.naturalHeight;
    fit.style.aspectRatio = aspect;
    fit.classList.toggle("upright", aspect < 16 / 9);
    fit.classList.add("loaded");
  });
  image.addEventListener("error", () => fit.classList.add("lost"));
  return el("span", { class: "picture" }, fit);
}

/** A frame around the part that matches; none when that is the whole picture. */
function box([x, y, width, height]) {
  if (width > 0.98 && height > 0.98) return null;
  const made = el("span", { class: "match" });
  const places = { left: x, top: y, width, height };
  for (const [side, part] of Object.entries(places)) made.style[side] = `${part * 100}%`;
  return made;
}

/** A video of the library that was not searched for: one card with its middle frame. */
export function poster(video, { open, href }) {
  const t = (video.duration ?? 0) / 2;
  const moment = { video_id: video.video_id, path: video.path, t, start: 0, end: video.duration ?? 0 };
  const failed = video.status === "failed";
  const shown = failed
    ? el("span", { class: "picture" }, el("span", { class: "fit failed" }))
    : picture({ box: [0, 0, 1, 1], thumbnail: api.thumbnail(video.video_id, t) });
  const link = el("a", {
    class: "card", href: href(moment), title: video.path,
    onclick: (event) => {
      if (event.metaKey || event.ctrlKey || event.shiftKey) return;
      event.preventDefault();
      open(video);
    },
  }, shown, el("span", { class: "caption" },
    el("span", { class: "name", dir: "auto" }, name(video.path)),
    el("span", { class: "sure" }, video.duration ? about(video.duration) : "")));
  if (moment.end && !failed) scrub(link, shown, moment);
  return el("li", {}, link);
}
