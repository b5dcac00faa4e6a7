// Small builders for elements; attributes only, since the page's policy forbids inline style.

const SVG = "http://www.w3.org/2000/svg";

/**
 * Build an HTML element.
 * @param {string} tag
 * @param {Object} attributes `on` holds listeners; false and null leave an attribute out, true sets it bare.
 * @param {...(Node|string|null)} children
 */
export function el(tag, attributes = {}, ...children) {
  return furnish(document.createElement(tag), attributes, children);
}

/** Build an SVG element; see `el`. */
export function svg(tag, attributes = {}, ...children) {
  return furnish(document.createElementNS(SVG, tag), attributes, children);
}

function furnish(node, { on = {}, ...attributes }, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    node.setAttribute(name, value === true ? "" : value);
  }
  for (const [event, listener] of Object.entries(on)) node.addEventListener(event, listener);
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

const ICONS = {
  play: "M8 5.5v13l10.5-6.5z",
  pause: "M7 5.5h3.4v13H7zM13.6 5.5H17v13h-3.4z",
  sound: "M4 9.5v5h3.5L12 18.5v-13L7.5 9.5zM14.8 8.6a4.8 4.8 0 0 1 0 6.8l1.2 1.2a6.5 6.5 0 0 0 0-9.2zM17.4 6l1.2-1.2a10.2 10.2 0 0 1 0 14.4L17.4 18a8.5 8.5 0 0 0 0-12z",
  muted: "M4 9.5v5h3.5L12 18.5v-13L7.5 9.5zM15 9.2l1.2-1.2 2.3 2.3 2.3-2.3L22 9.2l-2.3 2.3 2.3 2.3-1.2 1.2-2.3-2.3-2.3 2.3-1.2-1.2 2.3-2.3z",
  audio: "M3 10.5h1.8v3H3zM6.7 7h1.8v10H6.7zM10.4 4h1.8v16h-1.8zM14.1 8h1.8v8h-1.8zM17.8 9.8h1.8v4.4h-1.8z",
  visual: "M4 5.5h16v13H4zM5.8 7.3v9.4h12.4V7.3zM7 15.5l3-4 2.4 2.8 1.8-2 2.8 3.2z",
  other: "M5 5h14v2.2h-5.9V19h-2.2V7.2H5z",
};

/** Return a decorative icon: play, pause, sound, muted, audio, visual or other. */
export function icon(name) {
  const path = svg("path", { d: ICONS[name] ?? ICONS.other, "fill-rule": "evenodd" });
  return svg("svg", { class: "icon", viewBox: "0 0 24 24", "aria-hidden": "true" }, path);
}
