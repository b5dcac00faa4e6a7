// The evaluation view: one card per direction, with its curve, and the classes below.

import { evaluate } from "/web/api.js";
import { confusion } from "/web/confusion.js";
import { bar, precisionRecall } from "/web/curves.js";
import { el, icon } from "/web/dom.js";
import { parts, title } from "/web/modalities.js";
import { showProblem } from "/web/problems.js";

const place = (id) => document.getElementById(id);

const share = (value) => value.toFixed(3);
const rank = (value) => value.toLocaleString("en", { maximumFractionDigits: 1 });

const INSTANCE = [
  ["Recall at 1", "recall_at_1", share],
  ["Recall at 5", "recall_at_5", share],
  ["Recall at 10", "recall_at_10", share],
  ["Median rank", "median_rank", rank],
  ["Mean rank", "mean_rank", rank],
  ["Mean reciprocal rank", "mean_reciprocal_rank", share],
];

/** The evaluation view. */
export class EvaluationView {
  constructor(collection) {
    this.offered = collection.directions ?? [];
    const splits = collection.splits ?? [];
    place("split").replaceChildren(
      el("option", { value: "" }, "the whole collection"),
      ...splits.map((split) => el("option", { value: split }, `split: ${split}`)),
    );
    if (splits.includes("test")) place("split").value = "test";
    place("split").closest("label").hidden = splits.length === 0;
    place("split").addEventListener("change", () => this.run());
    place("evaluation-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.run();
    });
  }

  /** Evaluate, once; later only when asked. */
  open() {
    if (!this.started) this.run();
  }

  async run() {
    this.started = true;
    this.pending?.abort();
    const pending = new AbortController();
    this.pending = pending;
    const report = place("evaluation-report");
    report.setAttribute("aria-busy", "true");
    place("evaluation-status").textContent = "Ranking the gallery for every query…";
    showProblem(place("evaluation-trouble"), null);
    try {
      const answer = await evaluate(this.offered, place("split").value || null, pending.signal);
      this.show(report, answer);
    } catch (error) {
      if (pending.signal.aborted) return;
      place("evaluation-status").textContent = "";
      report.replaceChildren();
      showProblem(place("evaluation-trouble"), error, [{ label: "Try again", act: () => this.run() }]);
    }
    report.setAttribute("aria-busy", "false");
  }

  show(report, { directions = {}, index }) {
    const order = (direction) => (this.offered.includes(direction) ? this.offered.indexOf(direction) : Infinity);
    const entries = Object.entries(directions).sort(([a], [b]) => order(a) - order(b));
    place("evaluation-status").textContent = index?.version ? `Index ${String(index.version).slice(0, 12)}` : "";
    if (!entries.length) {
      report.replaceChildren(el("p", { class: "empty" }, "There is nothing to judge: the chosen items bear no labels and no pairs."));
      return;
    }
    report.replaceChildren(el("div", { class: "measures" }, ...entries.map((entry) => measure(entry, entries))), ...classes(entries));
  }
}

function measure([direction, numbers], entries) {
  const { query, gallery } = parts(direction);
  const headline = numbers.mean_average_precision;
  const random = numbers.random_mean_average_precision;
  const lift = headline && random ? ` · ${(headline / random).toFixed(1)} times that` : "";
  return el("article", { class: "measure", "data-direction": direction },
    el("h2", {}, el("span", { class: "tone", "data-modality": query }, icon(query)), "→",
      el("span", { class: "tone", "data-modality": gallery }, icon(gallery)), title(direction)),
    el("p", { class: "headline" }, el("strong", {}, number(headline, share)),
      el("span", {}, "mean average precision", el("br"), el("small", {}, `random ${number(random, share)}${lift}`))),
    chart(direction, numbers, entries),
    table(numbers),
    confusion(title(direction), numbers.curves?.confusion),
    elevenPoints(numbers),
  );
}

function chart(direction, numbers, entries) {
  const curve = numbers.curves?.precision_recall;
  if (!curve?.recall?.length) return null;
  const others = entries.filter(([other]) => other !== direction).map(([, other]) => other.curves?.precision_recall).filter((other) => other?.recall?.length);
  return el("figure", {},
    precisionRecall({
      name: title(direction), curve, others,
      eleven: numbers.curves.precision_recall_11_point,
      random: numbers.random_mean_average_precision,
    }),
    el("figcaption", {}, "Mean over the queries. Line: precision at each depth. Dots: interpolated, at the eleven standard recalls.", others.length ? " Thin lines: the other directions." : ""));
}

function table(numbers) {
  const gap = numbers.curves?.modality_gap;
  const hubness = numbers.curves?.hubness ?? {};
  const random = numbers.curves?.random ?? {};
  const row = (name, value, random, note) => el("tr", {}, el("th", { scope: "row" }, name, note ? el("small", {}, note) : null), el("td", {}, value), el("td", {}, random));
  const applies = INSTANCE.filter(([, key]) => typeof numbers[key] === "number")
    .map(([name, key, format]) => row(name, format(numbers[key]), number(random[key], format)));
  return el("table", { class: "numbers" },
    el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Measure"), el("th", { scope: "col" }, "Measured"), el("th", { scope: "col" }, "Random"))),
    el("tbody", {}, group("Same label"),
      row("Mean average precision", number(numbers.mean_average_precision, share), number(numbers.random_mean_average_precision, share)),
      row("without its own pair", number(numbers.mean_average_precision_without_own_pair, share), "–")),
    el("tbody", {}, group("The very same clip"),
      ...(applies.length ? applies : [el("tr", {}, el("td", { colspan: "3", class: "not-applicable" }, "Does not apply: no clip is both query and answer here."))])),
    el("tbody", {}, group("How many"),
      row("Queries", number(numbers.queries, rank), ""),
      row("Gallery", number(numbers.gallery, rank), ""),
      row("Queries without a relevant item", number(numbers.queries_without_relevant, rank), "", "counted, not scored")),
    typeof hubness.skewness === "number" ? el("tbody", {}, group("The space"),
      row("Hubness", number(hubness.skewness, rank), "", `skewness of how often an item is among the first ${hubness.neighbors ?? ""}`),
      row("Never found", number(hubness.share_never_retrieved, share), "", "share of the gallery"),
      typeof gap === "number" ? row("Modality gap", share(gap), "", "distance between the two centers") : null) : null,
  );
}

function group(name) {
  return el("tr", { class: "group" }, el("th", { scope: "rowgroup", colspan: "3" }, name));
}

function number(value, format) {
  return typeof value === "number" ? format(value) : "–";
}

function elevenPoints(numbers) {
  const points = numbers.curves?.precision_recall_11_point;
  if (!points?.length) return null;
  return el("details", {}, el("summary", {}, "The eleven points as numbers"),
    el("table", { class: "numbers eleven" },
      el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Recall"), el("th", { scope: "col" }, "Precision"))),
      el("tbody", {}, ...points.map((precision, tenth) => el("tr", {}, el("th", { scope: "row" }, (tenth / 10).toFixed(1)), el("td", {}, share(precision)))))));
}

function classes(entries) {
  const judged = entries.filter(([, numbers]) => numbers.curves?.average_precision_by_class);
  if (!judged.length) return [];
  const precision = (label, [, numbers]) => numbers.curves.average_precision_by_class[label];
  const mean = (label) => judged.reduce((sum, entry) => sum + (precision(label, entry) ?? 0), 0) / judged.length;
  const labels = [...new Set(judged.flatMap(([, numbers]) => Object.keys(numbers.curves.average_precision_by_class)))];
  labels.sort((a, b) => mean(b) - mean(a) || a.localeCompare(b));
  const count = (label) => judged[0][1].curves.gallery_classes?.[label];
  const cell = (value) => el("td", {}, el("span", { class: "class-value" }, number(value, share)), typeof value === "number" ? bar(value) : null);
  return [el("section", { class: "classes", "aria-labelledby": "classes-title" },
    el("h2", { id: "classes-title" }, "Average precision by label"),
    el("p", { class: "quiet" }, "Beside each label, how many items of the gallery bear it."),
    el("div", { class: "scroller", tabindex: "0", role: "region", "aria-labelledby": "classes-title" },
      el("table", {},
        el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Label"), ...judged.map(([direction]) => el("th", { scope: "col" }, title(direction))))),
        el("tbody", {}, ...labels.map((label) => el("tr", {}, el("th", { scope: "row" }, label, count(label) ? el("small", {}, ` ${count(label)}`) : null), ...judged.map((entry) => cell(precision(label, entry)))))))))];
}
