// Times, paths and numbers as people read them.

/** `0:07`, `1:30.5`, `1:02:03`; to a tenth, which is left out when zero or unwanted. */
export function clock(seconds, tenths = false) {
  const all = tenths ? Math.round(seconds * 10) : Math.floor(seconds + 1e-6) * 10;
  const rest = all % 600;
  const minutes = Math.floor(all / 600);
  const fraction = rest % 10 ? `.${rest % 10}` : "";
  const tail = `${String(Math.floor(rest / 10)).padStart(2, "0")}${fraction}`;
  const hours = Math.floor(minutes / 60);
  if (!hours) return `${minutes}:${tail}`;
  return `${hours}:${String(minutes % 60).padStart(2, "0")}:${tail}`;
}

/** Seconds of `90`, `90s`, `1:30` or `00:01:30.5`; null for anything else. */
export function seconds(text) {
  const match = /^\s*(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d+)?)s?\s*$/.exec(text);
  if (!match) return null;
  return Number(match[1] ?? 0) * 3600 + Number(match[2] ?? 0) * 60 + Number(match[3]);
}

export const span = (moment) => `${clock(moment.start)} – ${clock(moment.end)}`;

/** Whole percents, rounded down: what is shown as 5% passes a filter of 5%. */
export function percent(fraction) {
  return `${Math.floor(fraction * 100 + 1e-6)}%`;
}

/** How sure a moment is, as everywhere: `likely 67%`. */
export const confidence = (moment) => `${moment.certainty} ${percent(moment.confidence)}`;

/** The last part of a path or URI. */
export const name = (path) => path.split(/[/\\]/).filter(Boolean).at(-1) ?? path;

/** What comes before a path's last part, without the separator. */
export function folder(path) {
  const cut = Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\"));
  return cut > 0 ? path.slice(0, cut) : "";
}

const DIGITS = new Intl.NumberFormat("en");

/** `1 moment`, `1,204 moments`. */
export const count = (number, one) => `${DIGITS.format(number)} ${one}${number === 1 ? "" : "s"}`;

/** A length of time in words: `40 s`, `12 min`, `3.5 h`. */
export function about(seconds) {
  if (seconds < 60) return `${Math.max(1, Math.round(seconds))} s`;
  if (seconds < 3600) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(seconds < 36000 ? 1 : 0)} h`;
}
