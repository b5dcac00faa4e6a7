// The collection view: everything stored, page by page.

import { listItems } from "/web/api.js";
import { card, waitingCards } from "/web/cards.js";
import { el } from "/web/dom.js";
import { showProblem } from "/web/problems.js";

const PAGE = 24;

const place = (id) => document.getElementById(id);

/** The collection view; `pick` is called with the item to search with. */
export class CollectionView {
  constructor(collection, pick) {
    this.total = collection.items;
    this.pick = pick;
    this.cursor = null;
    this.count = 0;
    const labels = collection.labels ?? [];
    place("collection-lede").textContent = labels.length ? `Labels: ${labels.join(", ")}.` : "What can be found here.";
    place("more-items").addEventListener("click", () => this.more());
  }

  /** Load the first page, once. */
  open() {
    if (!this.started) this.more();
  }

  async more() {
    this.started = true;
    const list = place("items");
    const button = place("more-items");
    const waiting = waitingCards(6);
    button.disabled = true;
    list.setAttribute("aria-busy", "true");
    list.append(...waiting);
    showProblem(place("collection-trouble"), null);
    try {
      const page = await listItems(this.cursor, PAGE);
      this.cursor = page.next_cursor ?? null;
      this.append(list, page.items ?? []);
      button.hidden = this.cursor === null;
    } catch (error) {
      showProblem(place("collection-trouble"), error, [{ label: "Try again", act: () => this.more() }]);
    } finally {
      waiting.forEach((shown) => shown.remove());
      list.setAttribute("aria-busy", "false");
      button.disabled = false;
    }
  }

  append(list, items) {
    const fresh = items.map((item) => card(item, { pick: this.pick }).element);
    list.append(...fresh);
    this.count += fresh.length;
    const all = typeof this.total === "number" ? ` of ${this.total.toLocaleString("en")}` : "";
    place("collection-status").textContent = `${this.count.toLocaleString("en")}${all} items`;
    if (!this.count) list.replaceChildren(el("li", { class: "empty" }, "The collection is empty."));
    else if (this.count > fresh.length) fresh[0]?.querySelector(".pick").focus({ preventScroll: true });
  }
}
