// Adding folders: the dialog that asks for one, and the progress of what is being indexed.

import * as api from "./api.js";
import { announce, button, el } from "./dom.js";
import { about, count, name } from "./format.js";

const SEEN = 3000; // ms after which the server has seen what was indexed
const OVER = ["done", "cancelled", "failed"];

export class Jobs {
  /** `changed(isOver)` is called when there may be more to search than before. */
  constructor(place, dialog, changed) {
    Object.assign(this, { place, dialog, changed, rows: new Map() });
  }

  /** Show the jobs that are under way, if the page was opened while there are some. */
  async resume() {
    const { jobs } = await api.jobs();
    for (const job of jobs) if (!OVER.includes(job.state)) this.#watch(job);
  }

  /** Whether something is being indexed. */
  get active() {
    return [...this.rows.values()].some((row) => !row.isOver);
  }

  /** Ask for a folder. `facts` are the library's: whether this server takes any, and which. */
  ask(facts) {
    const form = addForm((job) => {
      this.dialog.close();
      this.#watch(job);
    }, facts, el("button", { type: "button", class: "quiet", onclick: () => this.dialog.close() }, "Cancel"));
    this.dialog.replaceChildren(el("h2", { id: "adding-title" }, "Add a folder"), form);
    this.dialog.showModal();
    form.querySelector("input")?.focus();
  }

  /** The same form as a part of the page, for a library that is empty. */
  form(facts) {
    return addForm((job) => this.#watch(job), facts);
  }

  /** Tell of what has been indexed so far, now and then. */
  #soon() {
    this.telling ??= setTimeout(() => {
      this.telling = undefined;
      this.changed(false);
    }, SEEN);
  }

  #watch(job) {
    if (this.rows.has(job.id)) return;
    const row = new Row(job, () => {
      row.element.remove();
      this.rows.delete(job.id);
    });
    this.rows.set(job.id, row);
    this.place.append(row.element);
    row.element.scrollIntoView({ block: "nearest" });
    this.changed(false);
    this.#listen();
  }

  /** Hear of the jobs for as long as one of them is under way. */
  #listen() {
    if (this.source && this.source.readyState !== EventSource.CLOSED) return;
    const source = (this.source = api.events());
    source.addEventListener("job", ({ data }) => this.#heard(JSON.parse(data)));
    source.addEventListener("error", () => {
      if (source.readyState !== EventSource.CLOSED) return; // it tries again by itself
      for (const row of this.rows.values()) if (!row.isOver) row.lost();
    });
  }

  #heard(job) {
    const row = this.rows.get(job.id);
    if (!row || row.isOver) return;
    row.show(job);
    if (!row.isOver) return this.#soon();
    announce(`${name(job.path)}: ${job.state}`);
    this.changed(true);
    setTimeout(() => this.changed(true), SEEN); // the server looks for new videos now and then
    if (!this.active) this.source.close();
  }
}

/** One job's line: what it does, how far it is, and a way to stop it. */
class Row {
  constructor(job, close) {
    this.words = el("span", { class: "words" });
    this.bar = el("progress", { "aria-label": `Indexing ${job.path}` });
    this.stop = button("close", "Cancel", () => this.#cancel(job.id), { class: "quiet" });
    this.close = button("close", "Dismiss", close, { class: "bare", hidden: true });
    this.failures = el("details", { class: "failures", hidden: true });
    this.title = el("b", { title: job.path }, name(job.path));
    this.element = el("div", { class: "job" }, this.title, this.words, this.bar, this.stop, this.close, this.failures);
    this.show(job);
  }

  show(job) {
    const over = (this.isOver = OVER.includes(job.state));
    this.element.dataset.state = job.state;
    this.words.textContent = said(job);
    const { done, total } = job.progress ?? {};
    if (total) {
      this.bar.max = total;
      this.bar.value = done;
    } else {
      this.bar.removeAttribute("value");
    }
    this.stop.hidden = over;
    this.bar.hidden = over || job.state === "queued";
    this.stop.disabled = job.state === "cancelling";
    this.close.hidden = !over;
    const failed = Object.entries(job.failed ?? {});
    this.failures.hidden = !failed.length;
    this.failures.replaceChildren(
      el("summary", {}, `${count(failed.length, "file")} could not be read`),
      el("ul", {}, ...failed.map(([path, why]) => el("li", {}, el("b", {}, name(path)), ` ${why}`))),
    );
  }

  lost() {
    this.words.textContent = "The server does not answer; indexing goes on when it is back";
    this.close.hidden = false;
  }

  async #cancel(id) {
    this.stop.disabled = true;
    try {
      await api.cancel(id);
    } catch (error) {
      this.words.textContent = error.message;
      this.stop.disabled = false;
    }
  }
}

function said({ state, progress, report, error }) {
  if (state === "queued") return "waits for another folder to be finished";
  if (state === "cancelling") return "stops; what is done is kept";
  if (state === "cancelled") return "stopped; what was done is kept. Add it again to go on";
  if (state === "failed") return error ?? "could not be indexed";
  if (state === "done") return outcome(report ?? {});
  if (!progress?.total) return "looking for videos …";
  const left = progress.left ? `about ${about(progress.left)} left` : "";
  const done = `${progress.done} of ${count(progress.total, "file")}`;
  return [done, count(progress.frames, "frame"), left].filter(Boolean).join(" · ");
}

/** What was done, in words: the report holds lists of paths, reasons by path, and numbers. */
function outcome(report) {
  const size = (part) => (Number.isFinite(report[part]) ? report[part] : Object.keys(report[part] ?? []).length);
  const words = {
    moved: "moved", copied: "copied", unchanged: "unchanged",
    partial: "could be read in part only", failed: "failed", failed_before: "failed before",
  };
  const parts = Object.entries(words).filter(([part]) => size(part)).map(([part, told]) => `${size(part)} ${told}`);
  if (size("indexed")) parts.unshift(`${count(size("indexed"), "video")} indexed`);
  else if (size("unchanged") || size("failed_before")) parts.unshift("nothing new");
  return parts.join(", ") || "no videos found in it";
}

function addForm(added, facts, cancel) {
  if (facts && !facts.can_add) {
    return el("p", {}, "This server does not take folders. Index them where it runs: ",
      el("code", {}, "framefind index FOLDER"));
  }
  const roots = facts?.roots ?? [];
  const input = el("input", {
    id: cancel ? "add-path" : "first-path", type: "text", required: true, spellcheck: "false",
    placeholder: roots[0] ?? "~/Videos", "aria-describedby": cancel ? "add-help" : null,
  });
  const wrong = el("p", { class: "wrong", role: "alert" });
  const go = el("button", { type: "submit", class: "primary" }, "Index it");
  const help = roots.length
    ? `A folder of the computer that the server runs on, in ${roots.join(" or ")}.`
    : "A folder of this computer, with all that is in it. Your videos stay where they are.";
  const form = el("form", { class: "add" },
    el("label", { for: input.id }, "Folder or video"), input,
    el("p", { id: cancel ? "add-help" : null, class: "help" }, help), wrong,
    el("div", { class: "row" }, cancel, go));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    go.disabled = true;
    try {
      added(await api.add(input.value.trim()));
      input.value = wrong.textContent = "";
    } catch (error) {
      wrong.textContent = error.message;
    }
    go.disabled = false;
  });
  return form;
}
