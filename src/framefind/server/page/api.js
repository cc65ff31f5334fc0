// The HTTP API, as far as the page needs it. Every failure is a Failure with words for people.

import { seconds } from "./format.js";
import { VIDEO_FILTERS, format, parse } from "./query.js";
import { kept } from "./pictures.js";

const ROOT = "v1";

/** What an answer that is not 2xx said; `status` is 0 when there was no answer. */
export class Failure extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

async function ask(path, options = {}) {
  const answer = await send(path, options);
  return answer.status === 204 ? null : answer.json();
}

async function send(path, options) {
  let answer;
  try {
    answer = await fetch(`${ROOT}/${path}`, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Failure(0, "The server does not answer. Is framefind serve still running?");
  }
  if (!answer.ok) throw new Failure(answer.status, await detail(answer));
  return answer;
}

/** The words of a problem document (RFC 9457). */
async function detail(answer) {
  try {
    const problem = await answer.json();
    const fields = (problem.errors ?? []).map((one) => `${one.field}: ${one.message}`);
    return fields.join("; ") || problem.detail || problem.title;
  } catch {
    return `The server answered ${answer.status} ${answer.statusText}`;
  }
}

/** One page of moments. A picture of this tab is posted, everything else is in the address. */
export async function search(query, limit, offset, signal) {
  return asked("search", query, { limit, offset }, signal);
}

/** The query's score for every sampled frame of a video. */
export async function scores(id, query, signal) {
  const bare = { ...query };
  for (const name of Object.keys(parse(""))) if (SCORED.indexOf(name) < 0) bare[name] = "";
  return asked(`videos/${id}/scores`, bare, {}, signal);
}

const SCORED = ["q", "image", "picture", "plus", "minus"];

/** A filter's value as the API takes it: lengths in seconds. */
const given = (name, text) => (name.endsWith("duration") ? String(seconds(text) ?? 0) : text);

async function asked(path, query, extra, signal) {
  const fields = new URLSearchParams(format(query, { watch: false }));
  for (const name of VIDEO_FILTERS) if (fields.has(name)) fields.set(name, given(name, fields.get(name)));
  for (const [name, value] of Object.entries(extra)) fields.set(name, value);
  if (!query.picture) return ask(`${path}?${fields}`, { signal });
  const picture = kept(query.picture);
  if (!picture) {
    throw new Failure(410, "That picture is no longer in this tab: drop it again.");
  }
  fields.delete("picture");
  const body = new FormData();
  for (const [name, value] of fields) body.append(name, value);
  body.append("image", picture, "picture");
  return ask(path, { method: "POST", body, signal });
}

export const library = () => ask("library");

/** The library's videos by path: those that pass the filters of `query` that act on whole videos. */
export function videos(query, limit, offset, signal) {
  const fields = new URLSearchParams({ limit, offset });
  for (const name of VIDEO_FILTERS) if (query[name]) fields.set(name, given(name, query[name]));
  return ask(`videos?${fields}`, { signal });
}

/** A video's facts, and how to play it from `start` on; `encoded`: as a stream that is encoded again. */
export const video = (id, start, signal, encoded = false) =>
  ask(`videos/${id}?start=${start.toFixed(3)}${encoded ? "&transcode=true" : ""}`, { signal });
/** What is said and written in a video, in order of time. */
export const cues = async (id, signal) => (await ask(`videos/${id}/cues`, { signal })).cues;
/** The same as WebVTT, for a stream whose clock starts at `offset`. */
export const subtitles = (id, source, language, offset) =>
  `${ROOT}/videos/${id}/cues.vtt?${new URLSearchParams({ source, language, offset })}`;
export const jobs = () => ask("jobs");
export const cancel = (id) => ask(`jobs/${id}`, { method: "DELETE" });
/** All jobs, each whenever it changes, by one connection: a browser has six to a server. */
export const events = () => new EventSource(`${ROOT}/jobs/events`);

/** Index a folder of the computer that the server runs on. */
export const add = (path) => ask("jobs", post({ path }));

const post = (document) => ({
  method: "POST",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify(document),
});

/** Moments as a file in a format, its name, and how many moments could not be read. */
export async function exported(moments, to, title) {
  const answer = await send("export", post({ moments: moments.map(bare), to, title }));
  const name = decodeURIComponent(answer.headers.get("Content-Disposition").split("''")[1]);
  return { file: await answer.blob(), name, failed: Number(answer.headers.get("X-Failed")) };
}

const bare = ({ video_id, start, end, t, score, confidence, box, why }) =>
  ({ video_id, start, end, t, score, confidence, box, why });

export const frame = (id, t, width) => `${ROOT}/videos/${id}/frames/${t}.jpg?width=${width}`;
export const thumbnail = (id, t) => `${ROOT}/videos/${id}/thumbnails/${t}.jpg`;
export const clip = (id, start, end) => `${ROOT}/videos/${id}/clip?start=${start}&end=${end}`;

/** Why an address of the API cannot be had, in words; null if it can. */
export async function trouble(url) {
  const stop = new AbortController();
  try {
    const answer = await fetch(url, { headers: { Range: "bytes=0-0" }, signal: stop.signal });
    return answer.ok ? null : await detail(answer);
  } catch {
    return "The server does not answer. Is framefind serve still running?";
  } finally {
    stop.abort();
  }
}
