// Stored media in a card: loaded when near, playing silently when seen, sounding when asked.

import { mediaBlob, mediaSource } from "/web/api.js";
import { el, icon } from "/web/dom.js";
import { Waveform, outline } from "/web/waveform.js";

const still = matchMedia("(prefers-reduced-motion: reduce)");
const players = new WeakMap();
let sounding = null;

const near = new IntersectionObserver(
  (entries) => entries.filter((entry) => entry.isIntersecting).forEach((entry) => players.get(entry.target)?.load()),
  { rootMargin: "300px" },
);
const seen = new IntersectionObserver(
  (entries) => entries.forEach((entry) => players.get(entry.target)?.appear(entry.isIntersecting)),
  { threshold: 0.5 },
);

/** Stop whatever sounds, as before the query's own sound plays. */
export function hush() {
  sounding?.setSound(false);
}

/** One stored clip, playing a segment of it over and over. */
export class Player {
  /**
   * @param {{mediaUrl: ?string, mediaType: ?string, segment: ?{start: ?number, end: ?number}, name: string}} clip
   *     segment in seconds, an end of null being the clip's own; name is what the clip is
   *     called in labels
   */
  constructor({ mediaUrl, mediaType, segment, name }) {
    Object.assign(this, { mediaUrl, mediaType: mediaType ?? "", name });
    this.from = segment?.start ?? 0;
    this.until = segment?.end ?? Infinity;
    this.ends = new AbortController();
    this.visible = false;
    this.element = el("div", { class: "player", "data-kind": this.kind });
    this.build();
    players.set(this.element, this);
    if (this.mediaUrl) {
      near.observe(this.element);
      seen.observe(this.element);
    }
  }

  get kind() {
    if (!this.mediaUrl) return "none";
    if (this.mediaType.startsWith("image/")) return "image";
    return this.mediaType.startsWith("audio/") ? "audio" : "video";
  }

  /** Let go of the media and of everything that watches the card. */
  close() {
    near.unobserve(this.element);
    seen.unobserve(this.element);
    this.ends.abort();
    this.wave?.close();
    if (sounding === this) sounding = null;
    this.media?.pause?.();
    this.media?.removeAttribute("src");
    this.release?.();
  }

  build() {
    if (this.kind === "none") {
      this.element.append(el("p", { class: "player-empty" }, icon("visual"), "No media is stored"));
      return;
    }
    if (this.kind === "image") {
      this.media = el("img", { alt: this.name, decoding: "async" });
      this.element.append(this.media);
      return;
    }
    this.media = el(this.kind, { preload: "metadata", playsinline: true, tabindex: "-1", "aria-label": this.name });
    this.media.muted = true;
    if (this.kind === "audio") this.element.append(el("canvas", { class: "wave" }));
    this.button = el("button", { type: "button", class: "sound", "aria-pressed": "false", on: { click: (event) => this.toggle(event) } });
    this.element.append(this.media, this.button);
    this.paintButton(false);
    this.watch();
  }

  watch() {
    const { media } = this;
    const options = { signal: this.ends.signal };
    media.addEventListener("loadedmetadata", () => this.rewind(), options);
    media.addEventListener("timeupdate", () => this.keepInside(), options);
    media.addEventListener("ended", () => { this.rewind(); this.start(); }, options);
    media.addEventListener("error", () => this.fail(), options);
    this.element.addEventListener("pointerenter", () => { if (!still.matches) this.start(); }, options);
  }

  async load() {
    near.unobserve(this.element);
    if (this.loading) return this.loading;
    this.loading = this.fetch();
    return this.loading;
  }

  async fetch() {
    try {
      if (this.kind === "audio") await this.drawSound();
      else this.use(await mediaSource(this.mediaUrl, this.ends.signal));
    } catch (error) {
      if (error.name !== "AbortError") this.fail();
    }
  }

  async drawSound() {
    const blob = await mediaBlob(this.mediaUrl, this.ends.signal);
    const address = URL.createObjectURL(blob);
    this.use({ address, release: () => URL.revokeObjectURL(address) });
    this.wave = new Waveform(this.element.querySelector("canvas"));
    const drawn = await outline(blob);
    if (!drawn) return;
    this.wave.show({ peaks: drawn.peaks, range: [this.from / drawn.duration, this.until / drawn.duration] });
  }

  use({ address, release }) {
    this.release = release;
    if (this.ends.signal.aborted) release();
    else this.media.src = address;
  }

  appear(visible) {
    this.visible = visible;
    if (!this.media || this.kind === "image") return;
    if (!visible) {
      this.setSound(false);
      this.media.pause();
    } else if (this.kind === "video" && !still.matches && !navigator.connection?.saveData) {
      this.load().then(() => { if (this.visible) this.start(); });
    }
  }

  start() {
    if (!this.media.src) return;
    this.media.play().catch(() => {}); // refused, or overtaken by a pause: the button remains
  }

  rewind() {
    if (this.from > 0) this.media.currentTime = this.from;
    else if (this.media.ended) this.media.currentTime = 0;
  }

  keepInside() {
    const { currentTime, duration } = this.media;
    if (currentTime > this.until + 0.05 || currentTime < this.from - 0.25) this.media.currentTime = this.from;
    if (this.wave && duration) this.wave.show({ head: this.media.paused ? null : currentTime / duration });
  }

  async toggle(event) {
    event.stopPropagation();
    await this.load();
    this.setSound(sounding !== this);
  }

  setSound(on) {
    if (on && sounding !== this) hush();
    if (on) sounding = this;
    else if (sounding === this) sounding = null;
    else return;
    this.media.muted = !on;
    if (on) this.start();
    else if (this.kind === "audio" || still.matches || !this.visible) {
      this.media.pause();
      this.wave?.show({ head: null });
    }
    this.paintButton(on);
  }

  paintButton(on) {
    const picture = this.kind === "audio" ? (on ? "pause" : "play") : (on ? "sound" : "muted");
    this.button.replaceChildren(icon(picture));
    this.button.setAttribute("aria-pressed", String(on));
    this.button.setAttribute("aria-label", `${this.kind === "audio" ? "Play" : "Sound of"} ${this.name}`);
    this.button.title = on ? "Silence" : "Listen";
  }

  fail() {
    if (this.ends.signal.aborted) return;
    this.element.dataset.kind = "none";
    this.element.replaceChildren(el("p", { class: "player-empty" }, icon("visual"), "This browser cannot play it"));
  }
}
