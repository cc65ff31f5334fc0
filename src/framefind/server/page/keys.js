// The keyboard, outside of the player.

import { el } from "./dom.js";

const HELP = [
  ["/", "type what to search for"],
  ["Enter", "search; play the moment"],
  ["← → ↑ ↓", "from moment to moment"],
  ["[  ]", "previous and next moment, while one plays"],
  ["Space", "play, pause"],
  ["← →", "a second back and on, while one plays"],
  ["PgUp PgDn", "ten seconds, on the strip"],
  ["M  C  F", "sound; subtitles; full screen"],
  ["Esc", "close"],
  ["?", "these keys"],
];

/** Listen for keys. `cards()` gives the visible moments as links, in order. */
export function listen({ search, cards, help }) {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (document.querySelector("dialog[open]")) return;
    const typing = event.target.matches("input, textarea, select");
    if (event.key === "/" && !typing) {
      event.preventDefault();
      search.focus();
      search.select();
    } else if (event.key === "?" && !typing) {
      help();
    } else if (event.key === "Escape" && event.target.matches("a.card")) {
      search.focus();
    } else if (event.key.startsWith("Arrow") && (!typing || leaves(event, search))) {
      if (move(event.key, cards(), search)) event.preventDefault();
    }
  });
}

/** Arrow down leaves the search box for the moments below it. */
const leaves = (event, search) => event.target === search && event.key === "ArrowDown";

/** Move the focus to the nearest card in a direction; whether there was one. */
function move(key, cards, search) {
  const from = cards.indexOf(document.activeElement);
  if (from < 0) {
    const first = key === "ArrowDown" || key === "ArrowRight" ? cards[0] : null;
    first?.focus();
    return Boolean(first);
  }
  if (key === "ArrowLeft" || key === "ArrowRight") {
    const next = cards[from + (key === "ArrowRight" ? 1 : -1)];
    next?.focus();
    return Boolean(next);
  }
  const next = vertical(cards[from], cards, key === "ArrowDown" ? 1 : -1);
  if (next) next.focus();
  else if (key === "ArrowUp") search.focus();
  return Boolean(next);
}

/** The card of the next row up or down that is closest to straight above or below. */
function vertical(card, cards, way) {
  const at = card.getBoundingClientRect();
  let best = null;
  for (const other of cards) {
    const place = other.getBoundingClientRect();
    const down = (place.top - at.top) * way;
    if (down <= 4) continue;
    const cost = down * 4 + Math.abs(place.left - at.left);
    if (!best || cost < best.cost) best = { other, cost };
  }
  return best?.other;
}

/** The dialog that tells the keys. */
export function show(dialog) {
  if (!dialog.childElementCount) {
    dialog.append(
      el("h2", { id: "keys-title" }, "Keys"),
      el("dl", { class: "keys" }, ...HELP.flatMap(([keys, words]) => [
        el("dt", {}, ...keys.split(/\s+/).map((key) => el("kbd", {}, key))), el("dd", {}, words),
      ])),
      el("form", { method: "dialog" }, el("button", { autofocus: true }, "Close")),
    );
  }
  dialog.showModal();
}
