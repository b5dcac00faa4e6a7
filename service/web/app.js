// Starts the page: reads the collection, then follows the address.

import { getCollection, onKeyNeeded } from "/web/api.js";
import { CollectionView } from "/web/collection.js";
import { EvaluationView } from "/web/evaluation.js";
import { InterfaceView } from "/web/interface.js";
import { listenForClips } from "/web/intake.js";
import { askForKey } from "/web/keydialog.js";
import { counted } from "/web/modalities.js";
import { hush } from "/web/player.js";
import { showProblem } from "/web/problems.js";
import { SearchView } from "/web/search.js";

const VIEWS = ["search", "collection", "evaluation", "interface"];

const place = (id) => document.getElementById(id);

let again;
let opened;
const search = new Promise((resolve) => { opened = resolve; });

async function start() {
  clearTimeout(again);
  showProblem(place("trouble"), null);
  let collection;
  try {
    collection = await getCollection();
  } catch (error) {
    showProblem(place("trouble"), error, [{ label: "Try again", act: start }]);
    if (error.code === "not-ready") again = setTimeout(start, 2000); // a service that is just starting
    return;
  }
  tell(collection);
  const view = new SearchView(collection, visit);
  const pick = (item) => view.openItem(item);
  const views = {
    search: view,
    collection: new CollectionView(collection, pick),
    evaluation: new EvaluationView(collection),
    interface: new InterfaceView(),
  };
  document.querySelector('nav a[data-view="search"]').addEventListener("click", (event) => {
    event.preventDefault();
    visit(...view.location);
  });
  window.addEventListener("popstate", follow);
  follow();
  opened(view);

  function visit(hash, key) {
    history.pushState({ query: key }, "", hash);
    follow();
  }

  function follow() {
    const [name, ...rest] = location.hash.slice(1).split("/").map(decoded);
    if (name === "main") return; // the link that skips to the content
    const current = VIEWS.includes(name) ? name : "search";
    hush();
    for (const one of VIEWS) {
      place(one).hidden = one !== current;
      const link = document.querySelector(`a[data-view="${one}"]`);
      if (one === current) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    if (current === "search") view.route(rest[0], rest[1], history.state?.query);
    else views[current].open();
  }
}

function tell({ name, size = {}, items, model = {}, version }) {
  const sizes = Object.entries(size).map(([modality, count]) => counted(count, modality));
  document.title = name ? `${name} – Earshot` : "Earshot";
  place("facts").textContent = [name, ...(sizes.length ? sizes : [`${items ?? 0} items`])].filter(Boolean).join(" · ");
  const made = [model.method && `method ${model.method}`, model.dim && `${model.dim} dimensions`, ...Object.values(model.frontends ?? {}).map(nameOf)];
  place("foot-facts").textContent = [...made, model.id && `model ${model.id.slice(0, 12)}`, version && `index ${String(version).slice(0, 12)}`].filter(Boolean).join(" · ");
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // an address typed by hand
  }
}

function nameOf(frontend) {
  return typeof frontend === "string" ? frontend : frontend?.name;
}

onKeyNeeded(askForKey);
listenForClips(async (file) => (await search).openFile(file)); // a clip may come before the collection is known
start();
