// The search view: a query, a direction, and the ranked results.

import { changeKey, getItem, listItems, searchByFile, searchById } from "/web/api.js";
import { card, waitingCards } from "/web/cards.js";
import { el, icon } from "/web/dom.js";
import { counted, invitation, modalitiesOf, parts, suitable, title, words } from "/web/modalities.js";
import { ApiError, showProblem } from "/web/problems.js";
import { QueryPanel, mediaTypeOf } from "/web/query.js";

const PAGE = 12; // results asked for at a time
const SHELF = 10; // items offered before the first query

const place = (id) => document.getElementById(id);

/** The search view; `visit(hash, key)` records a step in the browser's history. */
export class SearchView {
  constructor(collection, visit) {
    this.collection = collection;
    this.visit = visit;
    this.offered = collection.directions ?? [];
    this.direction = this.offered.includes("audio2visual") ? "audio2visual" : this.offered[0];
    this.queries = new Map(); // files asked with so far, by history key
    this.query = null;
    this.cards = [];
    this.panel = new QueryPanel(place("query"), {
      ranged: (start, end) => this.narrow(start, end),
      cleared: () => this.visit(this.hash(null), null),
    });
    this.drawDirections();
    place("more-results").addEventListener("click", () => this.run({ more: true }));
  }

  /** Where the view stands, for the browser's history. */
  get location() {
    return [this.hash(this.query), this.query?.key ?? null];
  }

  /** Go to what the address and the history say. */
  route(direction, id, key) {
    if (this.offered.includes(direction)) this.direction = direction;
    this.paintDirection();
    const query = id ? this.queryOfItem(id) : (this.queries.get(key) ?? null);
    const shown = query && `${this.direction} ${query.key ?? query.id} ${query.start} ${query.end}`;
    if (shown && shown === this.shown) return;
    this.shown = shown;
    this.query = query;
    this.view(query ? "results" : "start");
    if (query) this.ask();
    else this.offer();
  }

  /** Search with a file in the direction at hand, or in one that suits it. */
  openFile(file) {
    const key = `file-${this.queries.size + 1}`;
    const query = { key, file, start: null, end: null };
    const direction = this.suit(modalitiesOf(mediaTypeOf(file)));
    if (!direction) {
      showProblem(place("drop-error"), new ApiError({ title: "This collection cannot be searched with such a clip", code: "unknown-modality" }));
      return;
    }
    this.direction = direction;
    this.queries.set(key, query);
    this.visit(this.hash(query), key);
  }

  /** Search with a stored item, as a card gives it. */
  async openItem(item) {
    let known = item;
    if (!known.modalities) known = { ...item, ...(await getItem(item.id).catch(() => ({}))) };
    const direction = this.suit(known.modalities ?? [parts(this.direction).query]);
    if (direction) this.direction = direction;
    this.item = known;
    this.visit(this.hash({ id: item.id }), null);
  }

  suit(modalities) {
    return suitable(this.direction, modalities, this.offered);
  }

  queryOfItem(id) {
    if (this.query?.id === id) return this.query;
    return { id, item: this.item?.id === id ? this.item : null };
  }

  hash(query) {
    const stem = `#search/${this.direction}`;
    return query?.id ? `${stem}/${encodeURIComponent(query.id)}` : stem;
  }

  narrow(start, end) {
    Object.assign(this.query, { start, end });
    this.shown = `${this.direction} ${this.query.key} ${start} ${end}`;
    this.run({});
  }

  view(state) {
    place("search").dataset.state = state;
    place("drop").hidden = state !== "start";
    showProblem(place("drop-error"), null);
    if (state === "start") this.panel.close();
  }

  async ask() {
    const { query } = this;
    if (query.id && !query.item) query.item = await getItem(query.id).catch(() => null); // the search itself reports what is wrong
    if (query !== this.query) return;
    this.panel.show(query, this.direction);
    window.scrollTo({ top: 0 });
    await this.run({});
    if (query === this.query && query.id) place("answers-title").focus({ preventScroll: true });
  }

  async run({ more = false }) {
    this.pending?.abort();
    const pending = new AbortController();
    this.pending = pending;
    const { query, direction } = this;
    const offset = more ? this.cards.length : 0;
    this.wait(more);
    try {
      const answer = await this.search(query, direction, offset, pending.signal);
      if (!pending.signal.aborted) this.show(answer, offset);
    } catch (error) {
      if (!pending.signal.aborted) this.refuse(error);
    }
  }

  search({ file, id, start, end }, direction, offset, signal) {
    const params = { k: PAGE, ...(offset ? { offset } : {}), ...(end === null || end === undefined ? {} : { start, end }) };
    return file ? searchByFile(direction, file, params, signal) : searchById(direction, id, params, signal);
  }

  wait(more) {
    const { query: asked, gallery } = parts(this.direction);
    showProblem(place("search-trouble"), null);
    place("answers-title").textContent = `The ${words(gallery).many} that fit`;
    place("status").textContent = asked === "audio" ? "Listening…" : "Looking…";
    place("more-results").hidden = true;
    const list = place("results");
    list.setAttribute("aria-busy", "true");
    if (more) return;
    this.clear();
    list.replaceChildren(...waitingCards(6));
  }

  show(answer, offset) {
    const list = place("results");
    const { gallery } = parts(this.direction);
    const results = answer.results ?? [];
    if (offset === 0) list.replaceChildren();
    list.setAttribute("aria-busy", "false");
    this.fill(results.map((result, at) => ({ ...result, rank: result.rank ?? offset + at + 1 })));
    place("more-results").hidden = results.length < PAGE;
    const count = this.cards.length;
    const all = this.collection.size?.[gallery];
    const took = answer.took_ms?.total;
    place("status").textContent = count
      ? `${counted(count, gallery)}${all ? ` of ${all.toLocaleString("en")}` : ""}${took === undefined ? "" : `, in ${took < 10 ? took.toFixed(1) : Math.round(took)} ms`}`
      : "No results";
    if (!count) list.replaceChildren(el("li", { class: "empty" }, `The collection holds no ${words(gallery).many} that answer this. Try another direction or another clip.`));
  }

  refuse(error) {
    this.clear();
    place("results").setAttribute("aria-busy", "false");
    place("status").textContent = "";
    const actions = [];
    if (error.code === "no-usable-track") {
      const { query, gallery } = parts(this.direction);
      const others = this.offered.filter((other) => parts(other).query !== query && parts(other).gallery !== gallery);
      actions.push(...others.map((other) => ({ label: `Search ${title(other).toLowerCase()}`, act: () => this.turn(other) })));
    } else if (error.status === 403) {
      actions.push({ label: "Use another key", act: () => changeKey(true).then((key) => key && this.run({})) });
    } else if (!error.status || error.status === 429 || error.status >= 500) {
      actions.push({ label: "Try again", act: () => this.run({}) });
    }
    showProblem(place("search-trouble"), error, actions);
  }

  async offer() {
    this.pending?.abort();
    this.clear();
    showProblem(place("search-trouble"), null);
    place("answers-title").textContent = "Or begin with one of these";
    place("status").textContent = "";
    place("more-results").hidden = true;
    try {
      this.shelf ??= diverse((await listItems(null, 100)).items ?? [], SHELF);
    } catch (error) {
      showProblem(place("search-trouble"), error);
      return;
    }
    if (this.query) return;
    place("results").setAttribute("aria-busy", "false");
    if (this.shelf.length) this.fill(this.shelf);
    else place("results").replaceChildren(el("li", { class: "empty" }, "The collection is empty."));
  }

  fill(items) {
    const cards = items.map((item) => card(item, { pick: (picked) => this.openItem(picked), mark: this.mark(item) }));
    this.cards.push(...cards);
    place("results").append(...cards.map(({ element }) => element));
  }

  mark({ id, label }) {
    if (!this.query?.id) return null;
    if (id === this.query.id) return "the clip itself";
    return label !== undefined && label !== null && label === this.query.item?.label ? "same label" : null;
  }

  clear() {
    this.cards.forEach((shown) => shown.close());
    this.cards = [];
    place("results").replaceChildren();
  }

  turn(direction) {
    this.direction = direction;
    this.visit(this.hash(this.query), this.query?.key ?? null);
  }

  drawDirections() {
    place("directions").replaceChildren(...this.offered.map((direction) => {
      const { query, gallery } = parts(direction);
      const radio = el("input", { type: "radio", name: "direction", value: direction, on: { change: () => this.turn(direction) } });
      return el("label", { class: "direction" }, radio,
        el("span", { class: "direction-face" },
          el("span", { class: "tone", "data-modality": query }, icon(query)), arrow(),
          el("span", { class: "tone", "data-modality": gallery }, icon(gallery)),
          el("span", { class: "direction-words" }, title(direction))));
    }));
    this.paintDirection();
  }

  paintDirection() {
    const radio = document.querySelector(`input[name="direction"][value="${CSS.escape(this.direction ?? "")}"]`);
    if (radio) radio.checked = true;
    place("lede").textContent = this.direction ? invitation(this.direction) : "The collection is empty: there is nothing to search yet.";
  }
}

function arrow() {
  return el("span", { class: "arrow", "aria-hidden": "true" }, "→");
}

/** Return at most `count` items, of as many different labels as there are. */
function diverse(items, count) {
  const seen = new Set();
  const fresh = items.filter(({ label }) => !seen.has(label) && seen.add(label));
  return [...fresh, ...items.filter((item) => !fresh.includes(item))].slice(0, count);
}
