// The query, beside its results: the clip itself, its waveform, and the part searched with.

import { mediaBlob } from "/web/api.js";
import { el, icon } from "/web/dom.js";
import { parts, words } from "/web/modalities.js";
import { hush } from "/web/player.js";
import { Selection, clock } from "/web/selection.js";
import { Waveform, outline } from "/web/waveform.js";

const SOUND_ENDINGS = /\.(wav|flac|mp3|ogg|oga|opus|m4a|aac)$/i;

/** Return a file's media type; some systems do not know it, then the name decides. */
export function mediaTypeOf(file) {
  return file.type || (SOUND_ENDINGS.test(file.name) ? "audio/*" : "video/*");
}

/** Shows one query at a time. */
export class QueryPanel {
  /**
   * @param {Element} place
   * @param {{ranged: Function, cleared: Function}} act called with (start, end) in seconds, or
     *     nulls for the whole clip, and when the person wants another clip
   */
  constructor(place, act) {
    this.place = place;
    this.act = act;
    this.query = null;
  }

  /** Show a query `{file}` or `{id, item}`, asked with the direction's modality. */
  show(query, direction) {
    if (this.query !== query) this.open(query);
    const { query: modality } = parts(direction);
    this.place.dataset.asks = modality;
    this.asks.replaceChildren(icon(modality), `searching with its ${words(modality).its}`);
    if (query.item) this.name.textContent = query.item.label ?? query.id;
  }

  /** Empty the panel. */
  close() {
    this.ends?.abort();
    this.wave?.close();
    Object.assign(this, { query: null, media: null, selection: null, duration: 0 });
    this.place.replaceChildren();
    this.place.hidden = true;
  }

  open(query) {
    this.close();
    this.query = query;
    this.ends = new AbortController();
    this.name = el("p", { class: "query-name" }, query.file?.name ?? query.item?.label ?? query.id);
    this.asks = el("p", { class: "query-asks" });
    this.canvas = el("canvas", { class: "wave", "aria-hidden": "true" });
    this.wave = new Waveform(this.canvas);
    this.line = el("div", { class: "timeline" }, this.canvas);
    this.button = el("button", { type: "button", class: "play", disabled: true, on: { click: () => this.toggle() } }, icon("play"));
    this.button.setAttribute("aria-label", "Play the query");
    this.range = el("p", { class: "query-range" }, "\u00a0");
    this.whole = el("button", { type: "button", class: "link", hidden: true, on: { click: () => this.selection.reset() } }, "Whole clip");
    this.stage = el("div", { class: "query-stage" });
    this.controls = el("div", { class: "query-controls" }, this.button, this.range, this.whole);
    this.place.replaceChildren(
      el("div", { class: "query-head" }, el("div", {}, el("h2", { class: "quiet" }, "Query"), this.name),
        el("button", { type: "button", class: "button", on: { click: () => this.act.cleared() } }, "Another clip")),
      this.asks, this.stage, this.line, this.controls,
    );
    this.place.hidden = false;
    this.fill(query, this.ends.signal);
  }

  async fill(query, signal) {
    const item = query.item;
    if (!query.file && !item?.media_url) return this.withoutMedia("No media is stored for this item.");
    let blob = query.file;
    try {
      blob ??= await mediaBlob(item.media_url, signal);
    } catch (error) {
      if (error.name !== "AbortError") this.withoutMedia("Its media could not be loaded.");
      return;
    }
    if (signal.aborted) return;
    const address = URL.createObjectURL(blob);
    signal.addEventListener("abort", () => URL.revokeObjectURL(address));
    const mediaType = query.file ? mediaTypeOf(query.file) : item.media_type || blob.type;
    if (mediaType.startsWith("image/")) return this.withPicture(address);
    this.withMedia(mediaType.startsWith("audio/") ? "audio" : "video", address, signal);
    const drawn = await outline(blob);
    if (!signal.aborted) this.withSound(drawn);
  }

  withoutMedia(reason) {
    this.line.hidden = true;
    this.controls.hidden = true;
    this.stage.replaceChildren(el("p", { class: "quiet" }, reason));
  }

  withPicture(address) {
    this.line.hidden = true;
    this.controls.hidden = true;
    this.stage.replaceChildren(el("img", { src: address, alt: `The query picture, ${this.name.textContent}` }));
  }

  withMedia(kind, address, signal) {
    this.media = el(kind, { src: address, preload: "auto", playsinline: true, "aria-label": "The query clip" });
    this.stage.replaceChildren(this.media);
    this.stage.dataset.kind = kind;
    this.button.disabled = false;
    const options = { signal };
    for (const event of ["play", "pause"]) this.media.addEventListener(event, () => this.follow(), options);
    this.media.addEventListener("loadedmetadata", () => this.withDuration(this.media.duration), options);
    this.media.addEventListener("error", () => { this.button.disabled = true; this.range.textContent = "This browser cannot play it; the service may still read it."; }, options);
    signal.addEventListener("abort", () => this.media.pause());
  }

  withSound(drawn) {
    this.line.classList.toggle("silent", drawn === null);
    if (!drawn) return;
    this.wave.show({ peaks: drawn.peaks });
    this.withDuration(drawn.duration);
  }

  withDuration(duration) {
    if (this.duration || !Number.isFinite(duration) || duration <= 0) return; // a recording has none until decoded
    this.duration = duration;
    this.range.textContent = clock(duration);
    if (!this.query.file) return;
    this.selection = new Selection({
      duration,
      moved: (start, end) => this.paintRange(start, end),
      settled: (start, end) => (this.selection.partial ? this.act.ranged(start, end) : this.act.ranged(null, null)),
    });
    this.line.append(this.selection.element);
    const { start, end } = this.query;
    if (end) this.selection.set(start, end);
  }

  paintRange(start, end) {
    const part = this.selection.partial;
    this.wave.show({ range: [start / this.duration, end / this.duration] });
    this.range.textContent = part ? `${clock(start)} to ${clock(end)} of ${clock(this.duration)}` : clock(this.duration);
    this.whole.hidden = !part;
  }

  get bounds() {
    return this.selection?.bounds ?? [0, Infinity];
  }

  toggle() {
    if (!this.media.paused) {
      this.media.pause();
      return;
    }
    hush();
    const [start, end] = this.bounds;
    const at = this.media.currentTime;
    if (at < start || at >= end - 0.1 || this.media.ended) this.media.currentTime = start;
    this.media.play().catch(() => {}); // refused by the browser: the button stays
  }

  follow() {
    const { media } = this;
    const playing = !media.paused;
    this.button.replaceChildren(icon(playing ? "pause" : "play"));
    this.button.setAttribute("aria-label", playing ? "Pause the query" : "Play the query");
    if (!playing) {
      this.wave.show({ head: null });
      return;
    }
    const step = () => {
      if (media.paused || media !== this.media) return;
      if (media.currentTime >= this.bounds[1]) media.pause();
      if (this.duration) this.wave.show({ head: media.currentTime / this.duration });
      requestAnimationFrame(step);
    };
    step();
  }
}
