// The list of ranked results: waiting, shown, continued, empty.

import { card, percent, waitingCards } from "/web/cards.js";
import { el } from "/web/dom.js";
import { counted, words } from "/web/modalities.js";

const RATHER = 0.5; // from here a result is more likely an answer than not

const place = (id) => document.getElementById(id);

/** The list; `pick` is called with the item to search with. */
export class ResultList {
  constructor(pick) {
    this.pick = pick;
    this.list = place("results");
    this.cards = [];
  }

  /** How many results are shown. */
  get count() {
    return this.cards.length;
  }

  /** Take everything away. */
  clear() {
    this.cards.forEach((shown) => shown.close());
    this.cards = [];
    this.list.replaceChildren();
    this.list.setAttribute("aria-busy", "false");
    place("status").textContent = "";
    place("more-results").hidden = true;
  }

  /** Say that results are on their way; those shown stay if more of them are awaited. */
  wait(more, word) {
    if (!more) {
      this.clear();
      this.list.replaceChildren(...waitingCards(6));
    }
    this.list.setAttribute("aria-busy", "true");
    place("status").textContent = word;
    place("more-results").hidden = true;
  }

  /**
   * Show results, after the first `offset` that are there already.
   * @param {{query: Object, gallery: string, size: ?number, took: ?number, page: number}} about
   *     size of the gallery in items, took in milliseconds, page as many as were asked for
   */
  show(results, offset, { query, gallery, size, took, page }) {
    if (offset === 0) this.clear();
    this.list.setAttribute("aria-busy", "false");
    this.fill(results.map((result, at) => ({ ...result, rank: result.rank ?? offset + at + 1 })), query);
    place("more-results").hidden = results.length < page;
    if (this.count) {
      const of = size ? ` of ${size.toLocaleString("en")}` : "";
      const time = typeof took === "number" ? `, in ${took < 10 ? took.toFixed(1) : Math.round(took)} ms` : "";
      if (offset === 0) this.best = results[0].confidence;
      const doubt = typeof this.best === "number" && this.best < RATHER ? `No good match; the best is an answer with a probability of ${percent(this.best)}. ` : "";
      place("status").textContent = `${doubt}${counted(this.count, gallery)}${of}${time}`;
    } else {
      place("status").textContent = "No results";
      this.say(`The collection holds no ${words(gallery).many} that answer this. Try another direction or another clip.`);
    }
  }

  /** Show stored items to begin with. */
  offer(items) {
    this.clear();
    if (items.length) this.fill(items, null);
    else this.say("The collection is empty.");
  }

  fill(items, query) {
    const cards = items.map((item) => card(item, { pick: this.pick, mark: markOf(item, query) }));
    this.cards.push(...cards);
    this.list.append(...cards.map(({ element }) => element));
  }

  say(text) {
    this.list.replaceChildren(el("li", { class: "empty" }, text));
  }
}

function markOf({ id, label }, query) {
  if (!query?.id) return null;
  if (id === query.id) return "the clip itself";
  return label !== undefined && label !== null && label === query.item?.label ? "same label" : null;
}
