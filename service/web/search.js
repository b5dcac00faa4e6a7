// The search view: a query, a direction, and the ranked results.

import { changeKey, getItem, listItems, searchByFile, searchById } from "/web/api.js";
import { el, icon } from "/web/dom.js";
import { invitation, modalitiesOf, parts, suitable, title, words } from "/web/modalities.js";
import { ApiError, showProblem } from "/web/problems.js";
import { QueryPanel, mediaTypeOf } from "/web/query.js";
import { ResultList } from "/web/results.js";

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
    this.results = new ResultList((item) => this.openItem(item));
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
    const offset = more ? this.results.count : 0;
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
    showProblem(place("search-trouble"), null);
    place("answers-title").textContent = `The ${words(parts(this.direction).gallery).many} that fit`;
    this.results.wait(more, parts(this.direction).query === "audio" ? "Listening…" : "Looking…");
  }

  show(answer, offset) {
    const { gallery } = parts(this.direction);
    this.results.show(answer.results ?? [], offset, {
      query: this.query, gallery, size: this.collection.size?.[gallery], took: answer.took_ms?.total, page: PAGE,
    });
  }

  refuse(error) {
    this.results.clear();
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
    this.results.clear();
    showProblem(place("search-trouble"), null);
    place("answers-title").textContent = "Or begin with one of these";
    try {
      this.shelf ??= await diverse(this.collection.labels?.length ?? SHELF);
    } catch (error) {
      showProblem(place("search-trouble"), error);
      return;
    }
    if (!this.query) this.results.offer(this.shelf);
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

/** Return some stored items, of as many different labels as few requests can find. */
async function diverse(labels) {
  const items = [];
  const fresh = new Map();
  let cursor = null;
  for (let request = 0; request < 4 && fresh.size < Math.min(SHELF, labels); request += 1) {
    const page = await listItems(cursor, 200);
    items.push(...(page.items ?? []));
    for (const item of items) if (!fresh.has(item.label)) fresh.set(item.label, item);
    cursor = page.next_cursor;
    if (!cursor) break;
  }
  const shown = [...fresh.values()];
  return [...shown, ...items.filter((item) => !shown.includes(item))].slice(0, SHELF);
}
