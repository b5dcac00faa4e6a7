// Curves and bars in SVG, told apart by shape and dash, never by color alone.

import { svg } from "/web/dom.js";

const WIDTH = 420;
const HEIGHT = 300;
const BOX = { left: 44, right: 14, top: 12, bottom: 42 };

const x = (recall) => BOX.left + recall * (WIDTH - BOX.left - BOX.right);
const y = (precision) => HEIGHT - BOX.bottom - precision * (HEIGHT - BOX.top - BOX.bottom);

/**
 * Draw precision over recall.
 * @param {string} name what the curve belongs to, for the description
 * @param {{recall: number[], precision: number[]}} curve the full curve
 * @param {?number[]} eleven interpolated precision at recall 0, 0.1, … 1
 * @param {?number} random precision of a random order
 * @param {Array<{recall: number[], precision: number[]}>} others drawn faintly, to compare
 */
export function precisionRecall({ name, curve, eleven, random, others = [] }) {
  const points = eleven ?? [];
  const summary = points.length === 11
    ? `Precision is ${points[1].toFixed(2)} at recall 0.1, ${points[5].toFixed(2)} at 0.5 and ${points[10].toFixed(2)} at 1.`
    : "";
  return svg("svg", { class: "chart", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `Precision over recall, ${name}. ${summary}` },
    ...grid(),
    ...others.map((other) => svg("path", { class: "curve-other", d: path(other) })),
    ...level(random),
    svg("path", { class: "curve", d: path(curve) }),
    ...points.map((precision, tenth) => svg("circle", { class: "curve-point", cx: x(tenth / 10), cy: y(precision), r: 3.4 })),
  );
}

function grid() {
  const ticks = [0, 0.2, 0.4, 0.6, 0.8, 1];
  return [
    ...ticks.flatMap((tick) => [
      svg("line", { class: tick === 0 ? "axis" : "grid", x1: x(0), x2: x(1), y1: y(tick), y2: y(tick) }),
      svg("text", { class: "tick", x: x(0) - 8, y: y(tick) + 4, "text-anchor": "end" }, tick.toFixed(1)),
      svg("text", { class: "tick", x: x(tick), y: y(0) + 17, "text-anchor": "middle" }, tick.toFixed(1)),
    ]),
    svg("text", { class: "axis-name", x: (x(0) + x(1)) / 2, y: HEIGHT - 6, "text-anchor": "middle" }, "recall"),
    svg("text", { class: "axis-name", x: 0, y: 0, transform: `translate(12 ${(y(0) + y(1)) / 2}) rotate(-90)`, "text-anchor": "middle" }, "precision"),
  ];
}

function level(random) {
  if (typeof random !== "number") return [];
  const above = random < 0.85;
  return [
    svg("line", { class: "random", x1: x(0), x2: x(1), y1: y(random), y2: y(random) }),
    svg("text", { class: "random-name", x: x(0) + 8, y: y(random) + (above ? -6 : 14) }, `random ${random.toFixed(2)}`),
  ];
}

function path({ recall, precision }) {
  return recall.map((value, at) => `${at ? "L" : "M"}${x(value).toFixed(1)} ${y(precision[at]).toFixed(1)}`).join("");
}

/** Draw a share of 0..1 as a bar with its end marked. */
export function bar(share) {
  const length = 100 * Math.min(1, Math.max(0, share));
  return svg("svg", { class: "bar", viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("rect", { class: "bar-track", x: 0, y: 4.2, width: 100, height: 1.6 }),
    svg("rect", { class: "bar-length", x: 0, y: 2, width: length, height: 6 }));
}
