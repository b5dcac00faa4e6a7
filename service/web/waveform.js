// A sound as a row of bars: decoding to peaks, and drawing them.

const DECODE_RATE_HZ = 8000; // enough for an outline; a minute stays below 2 MB a channel
const MOST_BYTES = 48 * 2 ** 20;
const BAR = 3; // CSS pixels
const GAP = 2;

/**
 * Decode a file's sound to its outline.
 * @param {Blob} blob
 * @param {number} count how many peaks
 * @returns {Promise<{peaks: Float32Array, duration: number}|null>} peaks in 0..1, duration in
 *     seconds; null if the file has no sound that this browser decodes or is too big to draw
 */
export async function outline(blob, count = 400) {
  if (blob.size === 0 || blob.size > MOST_BYTES) return null;
  try {
    const context = new OfflineAudioContext(1, 1, DECODE_RATE_HZ);
    const sound = await context.decodeAudioData(await blob.arrayBuffer());
    return sound.length ? { peaks: peaksOf(sound, count), duration: sound.duration } : null;
  } catch {
    return null; // a picture, a silent video, or a codec this browser lacks
  }
}

function peaksOf(sound, count) {
  const peaks = new Float32Array(Math.min(count, sound.length));
  for (let channel = 0; channel < sound.numberOfChannels; channel += 1) {
    const samples = sound.getChannelData(channel);
    for (let bar = 0; bar < peaks.length; bar += 1) {
      const end = Math.floor(((bar + 1) * samples.length) / peaks.length);
      let peak = peaks[bar];
      for (let at = Math.floor((bar * samples.length) / peaks.length); at < end; at += 1) {
        peak = Math.max(peak, Math.abs(samples[at]));
      }
      peaks[bar] = peak;
    }
  }
  const loudest = Math.max(0.05, ...peaks); // silence stays flat
  return peaks.map((peak) => Math.min(1, peak / loudest));
}

/** A canvas that shows an outline in its own CSS color, with a range and a playhead. */
export class Waveform {
  constructor(canvas) {
    this.canvas = canvas;
    this.peaks = new Float32Array();
    this.range = [0, 1]; // fractions of the clip
    this.head = null; // fraction, or null while nothing plays
    this.sizes = new ResizeObserver(() => this.draw());
    this.sizes.observe(canvas);
    this.scheme = matchMedia("(prefers-color-scheme: dark)");
    this.redraw = () => this.draw();
    this.scheme.addEventListener("change", this.redraw);
  }

  /** Change what is shown; names as in the constructor. */
  show(change) {
    Object.assign(this, change);
    this.draw();
  }

  /** Stop observing; the canvas keeps its last picture. */
  close() {
    this.sizes.disconnect();
    this.scheme.removeEventListener("change", this.redraw);
  }

  draw() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    if (!width || !height) return;
    const density = window.devicePixelRatio || 1;
    this.canvas.width = Math.round(width * density);
    this.canvas.height = Math.round(height * density);
    const pen = this.canvas.getContext("2d");
    pen.scale(density, density);
    pen.fillStyle = getComputedStyle(this.canvas).color;
    const bars = Math.floor((width + GAP) / (BAR + GAP));
    for (let bar = 0; bar < bars; bar += 1) {
      const at = (bar + 0.5) / bars;
      const tall = Math.max(BAR, this.level(bar, bars) * (height - 4));
      const chosen = at >= this.range[0] && at <= this.range[1];
      const played = this.head !== null && at <= this.head;
      pen.globalAlpha = chosen ? (this.head === null || played ? 1 : 0.55) : 0.22;
      pen.beginPath();
      pen.roundRect(bar * (BAR + GAP), (height - tall) / 2, BAR, tall, BAR / 2);
      pen.fill();
    }
  }

  level(bar, bars) {
    const { peaks } = this;
    if (!peaks.length) return 0;
    const first = Math.floor((bar * peaks.length) / bars);
    const last = Math.max(first + 1, Math.floor(((bar + 1) * peaks.length) / bars));
    let level = 0;
    for (let at = first; at < last; at += 1) level = Math.max(level, peaks[at] ?? 0);
    return level;
  }
}
