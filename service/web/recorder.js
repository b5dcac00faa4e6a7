// A clip from the microphone or the camera, with a level while it runs.

import { el } from "/web/dom.js";
import { ApiError } from "/web/problems.js";
import { clock } from "/web/selection.js";
import { Waveform } from "/web/waveform.js";

const LONGEST_S = 60; // what the service uses of a clip
const BARS = 72;
const TYPES = {
  audio: ["audio/webm;codecs=opus", "audio/mp4", "audio/ogg;codecs=opus"],
  video: ["video/webm;codecs=vp8,opus", "video/mp4"],
};

/** Whether the browser, the address (https or localhost) and the service's policy allow it. */
export function canRecord(kind) {
  const policy = document.permissionsPolicy ?? document.featurePolicy;
  const devices = kind === "video" ? ["microphone", "camera"] : ["microphone"];
  const allowed = devices.every((device) => policy?.allowsFeature(device) ?? true);
  return Boolean(allowed && navigator.mediaDevices?.getUserMedia && window.MediaRecorder);
}

/**
 * Record until the person stops it.
 * @param {"audio"|"video"} kind
 * @param {Element} place where the level and the buttons are shown
 * @returns {Promise<?File>} the clip, or null if it was thrown away
 * @throws {ApiError} if there is no device or it is not allowed
 */
export async function record(kind, place) {
  const stream = await open(kind);
  const meter = new Meter(stream);
  try {
    return await run(kind, stream, meter, place);
  } finally {
    meter.close();
    stream.getTracks().forEach((track) => track.stop());
    place.replaceChildren();
    place.hidden = true;
  }
}

async function open(kind) {
  try {
    return await navigator.mediaDevices.getUserMedia({ audio: true, video: kind === "video" });
  } catch (error) {
    const device = kind === "video" ? "camera and microphone" : "microphone";
    const absent = error.name === "NotFoundError" || error.name === "OverconstrainedError";
    throw new ApiError({
      code: "no-recording",
      title: absent ? `This device has no ${device}` : `The ${device} may not be used`,
    });
  }
}

function run(kind, stream, meter, place) {
  return new Promise((resolve, reject) => {
    const mimeType = TYPES[kind].find((type) => MediaRecorder.isTypeSupported(type));
    const recorder = new MediaRecorder(stream, mimeType ? { mimeType } : {});
    const chunks = [];
    let kept = true;
    const began = performance.now();
    const time = el("span", { class: "recording-time" }, clock(0));
    const tick = setInterval(() => {
      const seconds = (performance.now() - began) / 1000;
      time.textContent = clock(seconds);
      meter.step();
      if (seconds >= LONGEST_S) recorder.stop();
    }, 80);
    const finish = (keep) => {
      kept = keep;
      if (recorder.state !== "inactive") recorder.stop();
    };
    recorder.addEventListener("dataavailable", (event) => chunks.push(event.data));
    recorder.addEventListener("error", (event) => { clearInterval(tick); reject(event.error); });
    recorder.addEventListener("stop", () => {
      clearInterval(tick);
      const type = recorder.mimeType.split(";")[0] || `${kind}/webm`;
      const name = `recording.${type.split("/")[1]}`;
      resolve(kept && chunks.length ? new File(chunks, name, { type }) : null);
    });
    const stop = el("button", { type: "button", class: "button primary", on: { click: () => finish(true) } }, "Stop and search");
    place.replaceChildren(
      ...(kind === "video" ? [preview(stream)] : []),
      meter.canvas,
      el("p", { class: "recording-line", role: "status" }, el("span", { class: "recording-dot", "aria-hidden": "true" }), "Recording ", time),
      el("div", { class: "drop-actions" }, stop,
        el("button", { type: "button", class: "button", on: { click: () => finish(false) } }, "Throw away")),
    );
    place.hidden = false;
    recorder.start();
    stop.focus();
  });
}

function preview(stream) {
  const video = el("video", { class: "recording-view", playsinline: true, autoplay: true, "aria-label": "What the camera sees" });
  video.muted = true;
  video.srcObject = stream;
  return video;
}

/** The loudness of a stream, drawn as a waveform that grows. */
class Meter {
  constructor(stream) {
    this.context = new AudioContext();
    this.listener = this.context.createAnalyser();
    this.context.createMediaStreamSource(stream).connect(this.listener);
    this.samples = new Float32Array(this.listener.fftSize);
    this.levels = new Float32Array(BARS);
    this.canvas = el("canvas", { class: "wave", "aria-hidden": "true" });
    this.wave = new Waveform(this.canvas);
  }

  step() {
    this.listener.getFloatTimeDomainData(this.samples);
    const loudness = Math.sqrt(this.samples.reduce((sum, sample) => sum + sample * sample, 0) / this.samples.length);
    this.levels.copyWithin(0, 1);
    this.levels[BARS - 1] = Math.min(1, 3 * loudness);
    this.wave.show({ peaks: this.levels });
  }

  close() {
    this.wave.close();
    this.context.close();
  }
}
