// What is asked for. The page's address holds it under the names that the API uses, so the back
// button works, a link can be kept, and the address' query is nearly the request itself.

const TEXTS = ["q", "then", "within", "image", "picture"];
export const VIDEO_FILTERS = ["video", "after", "before", "min_duration", "max_duration"];
export const FILTERS = [...VIDEO_FILTERS, "from", "to", "min_confidence"];
const LISTS = ["plus", "minus"];

/** Read an address' query. `picture` names an uploaded picture that this tab keeps. */
export function parse(search) {
  const given = new URLSearchParams(search);
  const query = { watch: given.get("watch") ?? "" };
  for (const name of [...TEXTS, ...FILTERS]) query[name] = (given.get(name) ?? "").trim();
  for (const name of LISTS) query[name] = given.getAll(name).filter((text) => text.trim());
  return query;
}

/** The query as an address' query, without what is empty; `watch` is the moment that plays. */
export function format(query, { watch = true } = {}) {
  const shown = new URLSearchParams();
  for (const name of [...TEXTS, ...LISTS, ...FILTERS]) {
    for (const value of [query[name]].flat()) if (value) shown.append(name, value);
  }
  if (watch && query.watch) shown.set("watch", query.watch);
  if (!query.then) shown.delete("within");
  return shown.toString();
}

/** Whether there is anything to search for. */
export const asks = (query) => Boolean(query.q || query.image || query.picture || query.plus.length);

/** Whether something is set that needs a text or a picture to act on. */
export const lacks = (query) => !asks(query) &&
  Boolean(query.minus.length || query.then || query.from || query.to || query.min_confidence);

/** How many filters are set. */
export const filtered = (query) => FILTERS.filter((name) => query[name]).length;

/** The same query without its filters. */
export const unfiltered = (query) => ({ ...query, ...parse(""), ...pick(query, [...TEXTS, ...LISTS]) });

/** The filters of a query and nothing else: what stays when one asks for more like a frame. */
export const onlyFilters = (query) => ({ ...parse(""), ...pick(query, FILTERS) });

const pick = (from, names) => Object.fromEntries(names.map((name) => [name, from[name]]));

/** A query in words, for the title of the page. */
export function words(query) {
  const parts = [query.q];
  if (query.image || query.picture) parts.push("a picture");
  parts.push(...query.plus.map((text) => `+ ${text}`), ...query.minus.map((text) => `− ${text}`));
  if (query.then) parts.push(`then ${query.then}`);
  return parts.filter(Boolean).join(" ");
}
