// The service's HTTP interface, as the page uses it.

import { ApiError, problemOf } from "/web/problems.js";

const KEY = "earshot-key";

let askForKey = async () => null;
let asking = null;

/** Set what is called, once for all waiting requests, when the service wants a key. */
export function onKeyNeeded(handler) {
  askForKey = handler;
}

/** Ask for another key now, as after a 403. */
export function changeKey(refused) {
  asking ??= askForKey(refused).finally(() => { asking = null; });
  return asking.then((key) => {
    if (key) sessionStorage.setItem(KEY, key);
    return key;
  });
}

async function send(path, options = {}) {
  for (;;) {
    const key = sessionStorage.getItem(KEY);
    const headers = { Accept: "application/json", ...options.headers };
    if (key) headers.Authorization = `Bearer ${key}`;
    let response;
    try {
      response = await fetch(path, { ...options, headers });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new ApiError({ code: "unreachable", title: "The service does not answer" });
    }
    if (response.ok) return response;
    const problem = await problemOf(response);
    if (response.status !== 401) throw problem;
    const newer = sessionStorage.getItem(KEY);
    if (newer === key && !(await changeKey(key !== null))) throw problem;
  }
}

async function json(path, options) {
  const response = await send(path, options);
  return response.json();
}

function post(path, body, signal) {
  return json(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
    signal,
  });
}

/** What the collection holds and which directions it offers. */
export function getCollection() {
  return json("/collection");
}

/** One page of stored items: `{items, next_cursor}`. */
export function listItems(cursor, limit) {
  const query = new URLSearchParams({ limit: String(limit) });
  if (cursor) query.set("cursor", cursor);
  return json(`/items?${query}`);
}

/** One stored item. */
export function getItem(id) {
  return json(`/items/${encodeURIComponent(id)}`);
}

/** Search with a clip; `params` may hold k, offset, start and end (seconds). */
export function searchByFile(direction, file, params, signal) {
  const form = new FormData();
  form.append("params", JSON.stringify(params));
  form.append("file", file, file.name || "clip");
  return json(`/search/${direction}`, { method: "POST", body: form, signal });
}

/** Search with a stored item. */
export function searchById(direction, id, params, signal) {
  return post(`/search/${direction}`, { id, ...params }, signal);
}

/** What the service tells of its HTTP interface, as HTML. */
export async function getReference() {
  const response = await send("/docs", { headers: { Accept: "text/html" } });
  return response.text();
}

/** The live index judged by the collection's own labels and pairs. */
export function evaluate(directions, split, signal) {
  return post("/evaluate", { stored: true, curves: true, directions, ...(split ? { split } : {}) }, signal);
}

/**
 * Return an address that a media element can load, and how to let go of it.
 * A media element cannot send a key, so with one the file is fetched here.
 */
export async function mediaSource(url, signal) {
  if (!sessionStorage.getItem(KEY)) return { address: url, release: () => {} };
  const response = await send(url, { signal, headers: { Accept: "*/*" } });
  const address = URL.createObjectURL(await response.blob());
  return { address, release: () => URL.revokeObjectURL(address) };
}

/** Return a stored media file. */
export async function mediaBlob(url, signal) {
  const response = await send(url, { signal, headers: { Accept: "*/*" } });
  return response.blob();
}
