// How a clip comes in: chosen, dropped, pasted or recorded.

import { svg } from "/web/dom.js";
import { showProblem } from "/web/problems.js";
import { canRecord, record } from "/web/recorder.js";

const place = (id) => document.getElementById(id);

/** Wire everything that brings a file; `open` is called with each. */
export function listenForClips(open) {
  drawWave(document.querySelector(".drop-wave"));
  const input = place("file");
  input.addEventListener("change", () => {
    if (input.files.length) open(input.files[0]);
    input.value = ""; // the same file may be chosen again
  });
  document.addEventListener("paste", (event) => {
    const [file] = event.clipboardData?.files ?? [];
    if (file) open(file);
  });
  listenForDrops(open);
  for (const kind of ["audio", "video"]) listenForRecording(kind, open);
}

function listenForDrops(open) {
  const carriesFile = (event) => event.dataTransfer?.types.includes("Files");
  document.addEventListener("dragover", (event) => {
    if (!carriesFile(event)) return;
    event.preventDefault();
    document.body.classList.add("dragging");
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) document.body.classList.remove("dragging");
  });
  document.addEventListener("drop", (event) => {
    document.body.classList.remove("dragging");
    if (!carriesFile(event)) return;
    event.preventDefault();
    if (event.dataTransfer.files.length) open(event.dataTransfer.files[0]);
  });
}

function listenForRecording(kind, open) {
  const button = place(`record-${kind}`);
  if (!canRecord(kind)) {
    button.hidden = true;
    return;
  }
  button.addEventListener("click", async () => {
    place("drop").classList.add("busy");
    showProblem(place("drop-error"), null);
    try {
      const file = await record(kind, place("recording"));
      if (file) open(file);
    } catch (error) {
      showProblem(place("drop-error"), error);
    } finally {
      place("drop").classList.remove("busy");
      button.focus();
    }
  });
}

function drawWave(picture) {
  const count = 54;
  for (let at = 0; at < count; at += 1) {
    const hill = Math.exp(-(((at - count / 2) / (count / 4.2)) ** 2));
    const tall = 3 + 46 * hill * Math.abs(Math.sin(at * 0.9) * Math.cos(at * 0.37) + 0.25);
    picture.append(svg("rect", { x: at * 6, y: 28 - tall / 2, width: 3, height: tall, rx: 1.5 }));
  }
}
