// A stored item as a card that plays and can be searched with.

import { el } from "/web/dom.js";
import { words } from "/web/modalities.js";
import { Player } from "/web/player.js";
import { clock } from "/web/selection.js";

/**
 * Build one card.
 * @param {{id: string, label: ?string, media_url: ?string, media_type: ?string, rank: ?number,
 *     score: ?number, confidence: ?number, segment: ?{start: number, end: number}, modalities: ?string[]}} item
 *     an item of the collection, or a result
 * @param {{pick: Function, mark: ?string}} options pick is called with the item; mark is a note
 * @returns {{element: HTMLLIElement, close: Function}}
 */
export function card(item, { pick, mark = null }) {
  const label = item.label ?? item.id;
  const player = new Player({
    mediaUrl: item.media_url,
    mediaType: item.media_type ?? item.metadata?.media_type,
    segment: item.segment,
    name: item.rank ? `${label}, rank ${item.rank}` : label,
  });
  const button = el("button", { type: "button", class: "pick", "aria-label": `Search with this: ${label}, ${item.id}` }, "Search with this");
  const element = el("li", { class: "card", "data-id": item.id, on: { click: () => pick(item) } },
    player.element,
    item.rank ? el("span", { class: "rank" }, el("span", { class: "unseen" }, "Rank "), String(item.rank)) : null,
    el("div", { class: "card-body" },
      el("h3", {}, label),
      scoreLine(item),
      el("p", { class: "card-facts" }, facts(item)),
      mark ? el("p", { class: "mark" }, mark) : null,
      button,
    ),
  );
  return { element, close: () => player.close() };
}

/** Return cards that only hold the place while results are awaited. */
export function waitingCards(count) {
  return Array.from({ length: count }, () =>
    el("li", { class: "card waiting", "aria-hidden": "true" }, el("div", { class: "player" }), el("div", { class: "card-body" }, el("p"), el("p"))));
}

function scoreLine({ score, confidence }) {
  if (typeof score !== "number") return null;
  const bar = el("span", { class: "score-bar" });
  bar.style.width = `${100 * Math.min(1, Math.max(0, score))}%`;
  return el("p", { class: "score", title: "Inner product of the two embeddings, from -1 to 1" },
    el("span", { class: "unseen" }, "Score "),
    el("span", { class: "score-number" }, score.toFixed(3).replace("-", "−")),
    el("span", { class: "score-track", "aria-hidden": "true" }, bar),
    typeof confidence === "number"
      ? el("span", { class: "confidence", title: "Probability that this is an answer, as fitted on validation data" }, percent(confidence))
      : null);
}

/** Say a probability in words that promise no more than it holds. */
export function percent(probability) {
  return probability < 0.01 ? "under 1 %" : probability > 0.99 ? "over 99 %" : `${Math.round(100 * probability)} %`;
}

function facts({ id, segment, modalities }) {
  const pieces = [id];
  if (typeof segment?.end === "number") pieces.push(`${clock(segment.start ?? 0)} to ${clock(segment.end)}`);
  else if (segment?.start > 0) pieces.push(`from ${clock(segment.start)}`);
  if (modalities?.length === 1) pieces.push(`${words(modalities[0]).its} only`);
  return pieces.join(" · ");
}
