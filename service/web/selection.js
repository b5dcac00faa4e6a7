// The part of a clip to search with: two handles over a time line, by pointer or keys.

import { el } from "/web/dom.js";

const SHORTEST_S = 0.2;

/** Return seconds as a person reads them: "3.4 s" or "1:05". */
export function clock(seconds) {
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

/**
 * Two sliders laid over a track. Calls `moved` while the range changes and
 * `settled` when it has come to rest; both get (start, end) in seconds.
 */
export class Selection {
  constructor({ duration, moved, settled }) {
    Object.assign(this, { duration, moved, settled });
    this.bounds = [0, duration];
    this.handles = [this.handle(0, "Start of the part to search with"), this.handle(1, "End of the part to search with")];
    this.element = el("div", { class: "selection", on: { pointerdown: (event) => this.grab(event) } }, ...this.handles);
    this.place();
  }

  /** Whether less than the whole clip is chosen. */
  get partial() {
    return this.bounds[0] > 0.01 || this.bounds[1] < this.duration - 0.01;
  }

  /** Choose the whole clip again. */
  reset() {
    this.set(0, this.duration);
    this.settled(...this.bounds);
  }

  set(start, end) {
    this.bounds = [Math.max(0, start), Math.min(this.duration, end)];
    this.place();
    this.moved(...this.bounds);
  }

  handle(which, label) {
    return el("button", {
      type: "button", class: "handle", role: "slider", "aria-label": label, "aria-valuemin": "0",
      "aria-valuemax": this.duration.toFixed(1),
      on: { keydown: (event) => this.key(event, which) },
    });
  }

  place() {
    this.handles.forEach((handle, which) => {
      const at = this.bounds[which];
      handle.style.left = `${(100 * at) / this.duration}%`;
      handle.setAttribute("aria-valuenow", at.toFixed(1));
      handle.setAttribute("aria-valuetext", clock(at));
    });
  }

  move(which, to) {
    const [start, end] = this.bounds;
    if (which === 0) this.set(Math.min(to, end - this.shortest), end);
    else this.set(start, Math.max(to, start + this.shortest));
  }

  get shortest() {
    return Math.min(SHORTEST_S, this.duration);
  }

  key(event, which) {
    const step = { ArrowLeft: -0.1, ArrowDown: -0.1, ArrowRight: 0.1, ArrowUp: 0.1, PageDown: -1, PageUp: 1 }[event.key];
    const jump = { Home: 0, End: this.duration }[event.key];
    if (step === undefined && jump === undefined) return;
    event.preventDefault();
    this.move(which, jump ?? this.bounds[which] + step);
    clearTimeout(this.resting);
    this.resting = setTimeout(() => this.settled(...this.bounds), 500);
  }

  grab(event) {
    if (event.button !== 0) return;
    const box = this.element.getBoundingClientRect();
    const timeAt = (moved) => (this.duration * Math.min(Math.max(moved.clientX - box.left, 0), box.width)) / box.width;
    const held = this.handles.indexOf(event.target);
    const origin = timeAt(event);
    let changed = false;
    const follow = (moved) => {
      const at = timeAt(moved);
      if (!changed && held < 0 && Math.abs(at - origin) < this.shortest) return;
      changed = true;
      if (held >= 0) this.move(held, at);
      else this.set(Math.min(origin, at), Math.max(origin, at));
    };
    const release = () => {
      this.element.removeEventListener("pointermove", follow);
      this.element.removeEventListener("pointerup", release);
      this.element.removeEventListener("pointercancel", release);
      if (changed) this.settled(...this.bounds);
    };
    this.element.setPointerCapture(event.pointerId);
    this.element.addEventListener("pointermove", follow);
    this.element.addEventListener("pointerup", release);
    this.element.addEventListener("pointercancel", release);
  }
}
