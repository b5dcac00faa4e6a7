// What is found in place of what: squares whose area is the share, after Hinton.

import { el, svg } from "/web/dom.js";

const CELL = 22;
const NAMES = 116; // width of the query labels, height of the found ones
const MOST = 40; // labels; beyond that a square is a dot

/**
 * Draw the confusion by label, folded away.
 * @param {string} name what it belongs to
 * @param {?{classes: string[], top_r: number[][]}} shares a row per query label: which labels the
 *     first R results bear, R being how many are relevant
 * @returns {?HTMLElement} null without shares, or with too many labels to be read
 */
export function confusion(name, shares) {
  const { classes = [], top_r: rows = [] } = shares ?? {};
  if (!classes.length || classes.length > MOST || rows.length !== classes.length) return null;
  const side = classes.length * CELL;
  const picture = svg("svg", { class: "confusion", viewBox: `0 0 ${NAMES + side + 4} ${NAMES + side + 4}`, role: "img", "aria-label": `${name}: ${spoken(classes, rows)}` },
    ...classes.flatMap((label, at) => [
      svg("text", { x: NAMES - 8, y: middle(at) + 4, "text-anchor": "end" }, shortened(label)),
      svg("text", { transform: `translate(${middle(at) + 4} ${NAMES - 8}) rotate(-90)` }, shortened(label)),
      svg("rect", { class: "confusion-own", x: NAMES + at * CELL, y: NAMES + at * CELL, width: CELL, height: CELL }),
    ]),
    svg("rect", { class: "confusion-frame", x: NAMES, y: NAMES, width: side, height: side }),
    ...rows.flatMap((row, at) => row.map((share, found) => square(classes[at], classes[found], share, at, found))),
  );
  return el("details", {}, el("summary", {}, "What is taken for what"), picture,
    el("p", { class: "quiet" }, "A row per label asked with; the area of a square is the share of the first R results that bear the column's label, R being how many there are to find."));
}

function middle(at) {
  return NAMES + (at + 0.5) * CELL;
}

function square(asked, answered, share, row, column) {
  const side = (CELL - 2) * Math.sqrt(Math.min(1, Math.max(0, share ?? 0)));
  return svg("rect", { class: "confusion-share", x: middle(column) - side / 2, y: middle(row) - side / 2, width: side, height: side },
    svg("title", {}, `${asked} finds ${answered}: ${(share ?? 0).toFixed(2)}`));
}

function spoken(classes, rows) {
  const mixed = rows
    .flatMap((row, at) => row.map((share, found) => ({ share, text: `${classes[at]} finds ${classes[found]} in ${Math.round(100 * share)} of 100`, own: at === found })))
    .filter(({ share, own }) => !own && share >= 0.05)
    .sort((a, b) => b.share - a.share);
  return mixed.length ? mixed.slice(0, 5).map(({ text }) => text).join("; ") : "hardly any label is taken for another";
}

function shortened(label) {
  return label.length > 15 ? `${label.slice(0, 14)}…` : label;
}
