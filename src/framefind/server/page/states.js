// What the page says when there is nothing to show: what happened, and what to do about it.

import { el } from "./dom.js";
import { filtered } from "./query.js";

const state = (title, words, ...actions) =>
  el("div", { class: "state" }, el("h2", {}, title), el("p", {}, words), ...actions);

export const loading = () =>
  el("div", { class: "groups loading", "aria-hidden": "true" },
    ...Array.from({ length: 8 }, () => el("div", { class: "ghost" })));

/** The library holds no videos yet. */
export const empty = (form) =>
  state("Nothing to search yet", "Add a folder of videos. framefind looks at a frame of every second; then you can ask for what they show.", form);

/** The library holds no videos yet, but a folder is being indexed. */
export const working = () =>
  state("Your videos are being looked at", "You can search as soon as the first are done.");

/** Something is to be left out, or to follow, or filtered by, but nothing is asked for. */
export const incomplete = (clear) =>
  state("What shall the moments show?", "What is left out, what follows, and filters on moments need something to act on: type what you look for, or drop a picture.",
    el("button", { type: "button", class: "quiet", onclick: clear }, "Start over"));

/** No video of the library passes the filters. */
export const none = (clear) =>
  state("No video passes the filters", "There may be some without them.",
    el("button", { type: "button", class: "primary", onclick: clear }, "Clear the filters"));

/** A search found no moment. */
export function nothing(query, notes, clear) {
  if (query.then) {
    return state("No such sequence", "No video shows the one and then the other. Allow more time between them, or leave out what comes after.");
  }
  if (filtered(query)) {
    return state("No moment passes the filters", "There may be some without them.",
      el("button", { type: "button", class: "primary", onclick: clear }, "Clear the filters"));
  }
  if (notes.length) return state("Nothing found", sentence(notes.join("; ")));
  if (/["“”„«»]/.test(query.q)) {
    return state("Nothing found", "In no video is said or written what stands in quotes. Without them, what comes close is found, too.");
  }
  return state("Nothing found", "The library holds no frames to compare with. Is a folder still being indexed?");
}

/** A search failed. */
export function failed(error, again) {
  const retry = el("button", { type: "button", class: "primary", onclick: again }, "Try again");
  if (error.status === 401) {
    return state("This page needs its key", "Open the address with the token that framefind serve printed when it was started.");
  }
  if (error.status === 0) {
    return state("The server does not answer", "Is framefind serve still running? Start it again, then try once more.", retry);
  }
  if (error.status === 422) return state("That cannot be searched for", sentence(error.message));
  if (error.status === 410) return state("The picture is gone", error.message);
  return state("It did not work", sentence(error.message), retry);
}

const sentence = (words) => `${words[0]?.toUpperCase() ?? ""}${words.slice(1)}.`.replace(/([.?!])\.$/, "$1");
