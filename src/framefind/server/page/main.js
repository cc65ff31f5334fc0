// The page: what is asked for is in its address; this module keeps the two and the rest together.

import * as api from "./api.js";
import { Chips } from "./chips.js";
import { announce, el, find, toast } from "./dom.js";
import { Export } from "./export.js";
import { Filters } from "./filters.js";
import { about, count } from "./format.js";
import { Jobs } from "./jobs.js";
import * as keys from "./keys.js";
import { More } from "./more.js";
import * as pictures from "./pictures.js";
import { Player, likeFrame } from "./player.js";
import { FILTERS, asks, filtered, format, lacks, parse, unfiltered, words } from "./query.js";
import { Results, key, poster } from "./results.js";
import * as states from "./states.js";

const PAUSE = 300; // ms after the last key before what was typed is searched for
const PAGE = 48; // moments, or videos, at a time

let query = parse(location.search);
let facts = null; // the library's
let known = new Map(); // video id → path
let searching = new AbortController();
let total = 0;
let notes = []; // what the query asks in vain
let typing; // the timer of what is being typed
let fresh = true; // whether the next change of the text makes a new entry in the history

const box = find("#q");
const place = find("#results");
const [summary, aside] = [find("#summary"), find("#facts")];
const more = new More(place);

const handover = new Export(find("#export"), () => words(query).slice(0, 200) || "framefind");
const results = new Results(place, {
  open: watch, like, href: (moment) => `?${format({ ...query, watch: key(moment) })}`,
  choose: (moment, says) => handover.box(moment, says),
});
const chips = new Chips(find("#chips"), change, (id) => known.get(id));
const filters = new Filters(find("#filters"), find("#filter"), change);
const jobs = new Jobs(find("#jobs"), find("#adding"), grown);
const player = new Player(find("#player"), {
  siblings: (id) => results.of(id), rank, go: (moment) => watch(moment, true), step, like, closed,
});

// --- what is asked for ---------------------------------------------------------------------------

/** Ask for something else: a new entry in the history, unless it `replaces` the present one. */
function ask(next, { replaces = false } = {}) {
  query = next;
  const address = `?${format(query)}`;
  if (replaces) history.replaceState(null, "", address);
  else if (address !== (location.search || "?")) history.pushState(null, "", address);
  reflect();
  search();
}

/** Change a part of the query. */
function change(part) {
  clearTimeout(typing);
  fresh = true;
  ask({ ...query, q: box.value.trim(), ...part, watch: "" });
}

/** Show the query in the search box, the chips, the filters and the title. */
function reflect() {
  if (box.value.trim() !== query.q) box.value = query.q;
  chips.show(query);
  filters.show(query);
  document.title = asks(query) ? `${words(query)} · framefind` : "framefind";
  document.body.classList.toggle("asked", asks(query) || lacks(query));
}

function like(id, t) {
  player.isOpen && player.close();
  clearTimeout(typing);
  fresh = true;
  ask(likeFrame(query, id, t));
  scrollTo({ top: 0 });
}

// --- searching -----------------------------------------------------------------------------------

async function search() {
  handover.clear();
  searching.abort();
  const { signal } = (searching = new AbortController());
  busy(true);
  try {
    if (asks(query)) await found(signal);
    else await browse(signal);
  } catch (error) {
    if (error.name === "AbortError") return;
    results.clear();
    say("", "");
    place.replaceChildren(states.failed(error, search));
    announce(error.message);
  } finally {
    if (!signal.aborted) busy(false);
  }
  if (!signal.aborted) resume();
}

function busy(now) {
  find("#main").setAttribute("aria-busy", String(now));
  document.body.classList.toggle("busy", now);
}

/** Show the first moments that answer the query. */
async function found(signal) {
  if (!results.moments.length) place.replaceChildren(states.loading());
  const page = await api.search(query, PAGE, 0, signal);
  results.clear();
  more.offer(0);
  total = page.total;
  notes = page.notes ?? [];
  if (page.moments.length) add(page);
  else if (facts && !videos()) welcome();
  else place.replaceChildren(states.nothing(query, notes, () => ask(unfiltered(query))));
  if (!page.moments.length) say(facts && !videos() ? "" : "No moments", "");
  announce(`${count(total, "moment")} found`);
}

function add(page) {
  results.append(page.moments);
  for (const moment of page.moments) known.set(moment.video_id, moment.path);
  chips.show(query); // a frame's chip tells its video's name
  const shown = results.moments.length;
  total = page.total; // an estimate, until the last page counts
  const last = page.moments.length < PAGE;
  const isMore = total > shown; // an estimate counts only what is likely
  const rest = last ? `in ${count(results.groups.size, "video")}` : isMore && `the best ${shown}`;
  const all = count(total, "moment");
  say(last ? all : isMore ? `About ${all}` : `The best ${count(shown, "moment")}`,
    [rest, ...notes].filter(Boolean).join(" · "));
  more.offer(last ? 0 : Math.max(1, total - shown), "moment", async () =>
    add(await api.search(query, PAGE, shown, searching.signal)), isMore);
}

/** Nothing is asked for: show what there is to search. */
async function browse(signal) {
  results.clear();
  more.offer(0);
  if (facts && !videos()) {
    welcome();
    return;
  }
  if (lacks(query)) {
    say("", "");
    place.replaceChildren(states.incomplete(() => ask(parse(""))));
    return;
  }
  let passing;
  const list = el("ol", { class: "groups posters" });
  const load = async () => {
    const page = await api.videos(query, PAGE, list.childElementCount, signal);
    passing = page.total;
    list.append(...page.videos.map((video) => poster(video, {
      open: (one) => watch({ ...one, t: 0, whole: true }),
      href: (one) => `?watch=${key({ ...one, t: 0 })}`,
    })));
    for (const one of page.videos) known.set(one.video_id, one.path);
    more.offer(page.total - list.childElementCount, "video", load);
  };
  await load();
  if (signal.aborted) return;
  if (filtered(query)) {
    if (passing) place.prepend(list);
    else place.replaceChildren(states.none(() => ask(unfiltered(query))));
    say("Your videos", `${passing} of ${count(videos(), "video")} pass the filters`);
    return;
  }
  place.prepend(list);
  const failed = facts?.videos.failed ?? 0;
  say("Your videos", [
    `${count(videos() - failed, "video")}, ${about((facts?.hours ?? 0) * 3600)}`,
    failed && `${failed} could not be read`,
  ].filter(Boolean).join(" · "));
}

function welcome() {
  say("", "");
  place.replaceChildren(jobs.active ? states.working() : states.empty(jobs.form(facts)));
}

function say(title, rest) {
  summary.textContent = title;
  aside.textContent = rest;
}

// --- watching ------------------------------------------------------------------------------------

/** Play a moment; the history takes a step, unless one goes from moment to moment. */
function watch(moment, replaces = player.isOpen) {
  fresh = true;
  query = { ...query, watch: key(moment) };
  history[replaces ? "replaceState" : "pushState"]({ watching: true }, "", `?${format(query)}`);
  player.open(moment, query);
}

/** Play what the address says, if it does. */
function resume() {
  if (!query.watch) {
    if (player.isOpen) player.close();
    return;
  }
  if (player.isOpen && key(player.moment) === query.watch) return;
  const cut = query.watch.lastIndexOf("@");
  const t = Number(query.watch.slice(cut + 1)) || 0;
  const id = query.watch.slice(0, cut);
  player.open(results.find(query.watch) ?? { video_id: id, path: known.get(id), t, whole: true }, query);
}

function rank(moment) {
  const at = results.moments.indexOf(moment);
  return at < 0 ? "" : `${at + 1} of ${total}`;
}

async function step(by) {
  const at = results.moments.indexOf(player.moment);
  if (at === results.moments.length - 1 && by > 0) await more.load();
  const next = results.moments[at + by];
  if (at >= 0 && next) watch(next, true);
  else toast(by > 0 ? "That was the last moment" : "That was the first moment");
}

/** The player was closed: back to where it was opened from. */
function closed(moment) {
  if (query.watch) {
    query = { ...query, watch: "" };
    if (history.state?.watching) history.back();
    else history.replaceState(null, "", `?${format(query)}`);
  }
  // The browser tells late: by now, "/" may have been pressed.
  if (document.activeElement !== box) results.card(moment)?.focus();
}

// --- the library ---------------------------------------------------------------------------------

const videos = () => Object.values(facts?.videos ?? {}).reduce((sum, one) => sum + one, 0);

/** There may be more to search: show it, unless that would disturb who is looking at what there is. */
async function grown(isOver) {
  const empty = !videos();
  if (!isOver && !empty) return;
  await refresh().catch(() => {}); // the next search says that the server does not answer
  const looks = player.isOpen || scrollY > 100 || place.contains(document.activeElement);
  if (!videos()) welcome();
  else if (empty || !looks) search();
}

async function refresh() {
  facts = await api.library();
  filters.offer(facts.folders.map((folder) => `${folder.path}/.`));
  find("#add").hidden = !facts.can_add;
}

// --- the rest ------------------------------------------------------------------------------------

box.addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(() => typed(), PAUSE);
});
find("#ask").addEventListener("submit", (event) => {
  event.preventDefault();
  clearTimeout(typing);
  typed();
  fresh = true;
});
box.addEventListener("blur", () => (fresh = true));
addEventListener("popstate", () => {
  clearTimeout(typing);
  fresh = true;
  const next = parse(location.search);
  const same = format(next, { watch: false }) === format(query, { watch: false });
  query = next;
  reflect();
  if (same) resume();
  else search();
});

/** Search for what stands in the box. While one types, the history keeps one entry of it. */
function typed() {
  const text = box.value.trim();
  if (text === query.q) return;
  ask({ ...query, q: text, watch: "" }, { replaces: !fresh });
  fresh = false;
}

find(".brand").addEventListener("click", (event) => {
  event.preventDefault();
  ask(parse(""));
  box.focus();
});
find("#add").addEventListener("click", () => jobs.ask(facts));
find("#help").addEventListener("click", () => keys.show(find("#keys")));
keys.listen({ search: box, cards: () => results.cards(), help: () => keys.show(find("#keys")) });
pictures.listen({ pick: find("#pick"), file: find("#file"), drop: find("#drop") }, async (file) => {
  player.isOpen && player.close();
  ask({ ...query, picture: await pictures.keep(file), image: "", watch: "" });
}, () => toast("That is not a picture"));

if (FILTERS.some((one) => query[one])) filters.toggle(true, false);
reflect();
refresh().catch(() => {}).then(search);
jobs.resume().catch(() => {});
