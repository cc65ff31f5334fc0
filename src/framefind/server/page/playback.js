// One video element that plays any video by the video's own time. A file is played as it is; what
// the browser cannot play comes as a stream that the server makes from a chosen time on (or a little
// before it, at a keyframe), whose own clock starts there.

import * as api from "./api.js";

const NEAR = 2; // seconds before a time at which a copied stream may begin

/**
 * A video, and how it is played from `t` on. Streams cannot be sought in, so one that is copied
 * must begin at a keyframe that is near; else it is `encoded` again, from exactly there on.
 */
export async function playable(id, t, signal, encoded = false) {
  const video = await api.video(id, t, signal, encoded);
  const early = video.stream?.kind === "remux" && t - video.stream.start > NEAR;
  return early ? api.video(id, t, signal, true) : video;
}

export class Playback extends EventTarget {
  constructor(media) {
    super();
    this.media = media;
    this.offset = this.asked = 0;
    for (const name of ["timeupdate", "play", "pause", "seeked", "waiting", "playing", "loadeddata"]) {
      media.addEventListener(name, () => this.dispatchEvent(new Event("change")));
    }
    media.addEventListener("error", () => this.#failed());
  }

  /** Show nothing, and `t` as the time, until a video is opened. */
  wait(t) {
    this.close();
    this.video = null;
    this.asked = t;
  }

  /** Play `video`, what the API answers when it is asked for it from `t` on. */
  open(video, t) {
    this.wait(t);
    this.video = video;
    this.encoded = false;
    if (!video.stream) {
      this.#missing();
      return;
    }
    this.#load(video.stream, t);
    this.play();
  }

  /** Say why there is nothing to play. */
  #missing() {
    const { status, error } = this.video;
    this.#say(status === "failed"
      ? `It could not be indexed and cannot be played: ${error ?? ""}`
      : "Its file is not where it was. Bring it back, or forget it with: framefind prune");
  }

  close() {
    this.#stop();
    this.media.removeAttribute("src");
    this.media.load();
  }

  play() {
    // A browser may want a click first; then the button shows that it is paused.
    this.media.play().catch(() => this.dispatchEvent(new Event("change")));
  }

  toggle() {
    if (this.media.paused) this.play();
    else this.media.pause();
  }

  /** The time in the video, in seconds. */
  get time() {
    if (this.loading || !this.media.readyState) return this.asked;
    return this.offset + this.media.currentTime;
  }

  /** How long the video is, in seconds; 0 while that is not known. */
  get duration() {
    if (this.video?.duration) return this.video.duration;
    const { duration } = this.media; // a made stream knows only its own
    return this.isMade || !Number.isFinite(duration) ? 0 : duration;
  }

  get isMade() {
    return this.video?.stream && this.video.stream.kind !== "file";
  }

  seek(t) {
    if (!this.video?.stream) return;
    const end = this.duration ? Math.max(0, this.duration - 0.04) : Infinity;
    const to = Math.min(Math.max(0, t), end);
    this.asked = to;
    if (!this.isMade) {
      this.media.currentTime = to;
    } else {
      this.#reload(to);
    }
    this.dispatchEvent(new Event("change"));
  }

  #load(stream, t) {
    this.asked = t;
    this.offset = this.isMade ? stream.start : 0;
    this.media.src = stream.url;
    this.dispatchEvent(new Event("load"));
    // Also to 0: Firefox would begin a made stream where a file that it could not play was to begin.
    this.media.currentTime = this.isMade ? 0 : t;
  }

  /** Have a made stream begin elsewhere. While one drags, only the last place counts. */
  async #reload(t) {
    this.resumes = this.loading ? this.resumes : !this.media.paused;
    this.loading?.abort();
    const { signal } = (this.loading = new AbortController());
    this.media.pause();
    await new Promise((later) => setTimeout(later, 150));
    if (signal.aborted) return;
    try {
      this.video = await playable(this.video.video_id, t, signal, this.encoded);
      this.loading = null;
      if (!this.video.stream) return this.#missing();
      this.#load(this.video.stream, t);
      if (this.resumes) this.play();
    } catch (error) {
      if (error.name !== "AbortError") this.#say(error.message);
    }
  }

  #stop() {
    this.loading?.abort();
    this.loading = null;
  }

  async #failed() {
    const source = this.media.getAttribute("src");
    if (!source) return;
    const t = this.time;
    const words = await api.trouble(source);
    if (this.media.getAttribute("src") !== source) return; // another one is played by now
    // Not every browser plays what most do, and not all can be repacked.
    if (!this.encoded && (!words || this.video.stream.kind === "remux")) {
      this.encoded = true;
      this.#reload(t);
      return;
    }
    this.#say(words ?? "This browser cannot play it. Download the clip, or open it in another player.");
  }

  #say(detail) {
    this.dispatchEvent(new CustomEvent("trouble", { detail }));
  }
}
