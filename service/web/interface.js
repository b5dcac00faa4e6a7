// The interface view: what the service itself tells of its HTTP interface.

import { getReference, mediaSource } from "/web/api.js";
import { el } from "/web/dom.js";
import { showProblem } from "/web/problems.js";

const DOCUMENT = "/openapi.json";

const place = (id) => document.getElementById(id);

/** The interface view; read from the service when it is first opened. */
export class InterfaceView {
  constructor() {
    place("openapi").addEventListener("click", (event) => {
      event.preventDefault();
      this.save();
    });
  }

  /** Show the reference; it is loaded once. */
  async open() {
    if (place("reference").hasChildNodes()) return;
    await attempt(async () => {
      const page = new DOMParser().parseFromString(await getReference(), "text/html");
      place("reference").replaceChildren(...page.querySelectorAll("section"));
    });
  }

  /** Hand the OpenAPI document over as a file: a plain link would send no key. */
  async save() {
    await attempt(async () => {
      const { address, release } = await mediaSource(DOCUMENT);
      el("a", { href: address, download: "openapi.json" }).click();
      setTimeout(release, 60_000); // by then the browser has taken it
    });
  }
}

async function attempt(work) {
  const trouble = place("interface-trouble");
  showProblem(trouble, null);
  try {
    await work();
  } catch (error) {
    showProblem(trouble, error, [{ label: "Try again", act: () => attempt(work) }]);
  }
}
