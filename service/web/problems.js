// Errors in plain words: what happened, and what to do about it.

import { el } from "/web/dom.js";

const FORMATS = "wav, flac, mp3, ogg, opus, m4a, mp4, webm, mkv, mov, avi, ts, jpg or png";

const REMEDIES = {
  unreachable: "Check that the service is running and that this device is online, then try again.",
  "too-large": "Send a smaller file, or cut the clip shorter.",
  "unsupported-media": `Use one of these formats: ${FORMATS}.`,
  undecodable: "The file may be damaged or cut off. Play it in another program, or export it again.",
  "media-too-long": "Cut the clip shorter and send it again.",
  "media-too-big": "Send a smaller picture size or a lower frame rate.",
  "no-usable-track": "Choose a clip that has this track, or another direction.",
  "unknown-modality": "Choose one of the directions above.",
  "not-found": "It may have been deleted. Choose another item of the collection.",
  forbidden: "Use a key whose role allows this.",
  unauthenticated: "Give an API key to go on.",
  "no-recording": "Choose a file instead, or allow recording for this page in the browser's settings.",
  busy: "Many searches are running. Wait a moment and try again.",
  "rate-limited": "Wait a moment and try again.",
  "request-timeout": "The connection is slow: try a shorter clip.",
  "not-ready": "The service is still starting, or has no index. Try again in a moment.",
  "shutting-down": "The service is restarting. Try again in a moment.",
  "encoder-failing": "Try again in a moment; if it lasts, tell whoever runs the service.",
  "model-mismatch": "The index was made by another encoder: whoever runs the service must build it again.",
};

/** A refusal or failure, from a problem+json body or from the network. */
export class ApiError extends Error {
  constructor({ status = 0, code = "", title = "", detail = "", requestId = "", retryAfter = null }) {
    super(detail || title);
    Object.assign(this, { status, code, title, detail, requestId, retryAfter });
  }
}

/** Read the error out of a response, whatever its body is. */
export async function problemOf(response) {
  let body = {};
  try {
    body = await response.json();
  } catch {
    body = {}; // a proxy's own page, or an empty body
  }
  return new ApiError({
    status: response.status,
    code: body.code ?? "",
    title: body.title ?? `The service answered ${response.status}`,
    detail: typeof body.detail === "string" ? body.detail : "",
    requestId: body.request_id ?? response.headers.get("X-Request-ID") ?? "",
    retryAfter: response.headers.get("Retry-After"),
  });
}

/** Return what to do about an error. */
export function remedy(error) {
  const waits = /^\d+$/.test(error.retryAfter ?? "") ? ` It asks for ${error.retryAfter} s of patience.` : "";
  const known = REMEDIES[error.code];
  if (known) return known + waits;
  if (error.status >= 500) return `Try again in a moment; if it lasts, tell whoever runs the service.${waits}`;
  return `Change the request and try again.${waits}`;
}

/**
 * Show an error in a place, or clear the place if there is none.
 * @param {Element} place an element with role="alert"
 * @param {Array<{label: string, act: Function}>} actions buttons below the text
 */
export function showProblem(place, error, actions = []) {
  if (!error) {
    place.replaceChildren();
    return;
  }
  if (!(error instanceof ApiError)) console.error(error);
  const known = error instanceof ApiError ? error : new ApiError({ title: "Something in this page went wrong", detail: error.message });
  const buttons = actions.map(({ label, act }) => el("button", { type: "button", class: "button", on: { click: act } }, label));
  place.replaceChildren(
    el("div", { class: "problem" },
      el("p", { class: "problem-title" }, sentence(known.title || "That did not work")),
      known.detail && known.detail !== known.title ? el("p", {}, sentence(known.detail)) : null,
      el("p", { class: "problem-remedy" }, remedy(known)),
      known.requestId ? el("p", { class: "problem-id" }, `Request ${known.requestId}`) : null,
      buttons.length ? el("div", { class: "problem-actions" }, ...buttons) : null,
    ),
  );
}

function sentence(text) {
  const start = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(start) ? start : `${start}.`;
}
