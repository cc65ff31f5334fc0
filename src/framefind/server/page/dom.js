// Small helpers to build elements; styles are set through classes and CSSOM only, as the
// Content-Security-Policy allows no inline ones.

/** Make an element: `el("button", { class: "quiet", type: "button", onclick }, "Text", child)`. */
export function el(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name === "value") made.value = value;
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

export const find = (selector, within = document) => within.querySelector(selector);

/** A picture of the sprite, for the eye only: what it stands for is said by its button. */
export const icon = (name) => el("span", { class: `icon icon-${name}`, "aria-hidden": "true" });

/** A button with an icon and words; `hidden` words are for screen readers and as a tooltip. */
export function button(name, words, onclick, { hidden = false, ...properties } = {}) {
  const label = hidden ? { "aria-label": words, title: words } : {};
  const made = el("button", { type: "button", ...label, ...properties, onclick }, icon(name));
  if (!hidden) made.append(el("span", {}, words));
  return made;
}

/** Say something to screen readers without showing it. */
export function announce(words) {
  find("#announcer").textContent = words;
}

let fading;

/** Show a short note at the bottom for a few seconds. */
export function toast(words) {
  const note = find("#toast");
  note.textContent = words;
  note.classList.add("shown");
  clearTimeout(fading);
  fading = setTimeout(() => note.classList.remove("shown"), 3000);
}

export const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
