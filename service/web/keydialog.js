// Asks for an API key when the service wants one.

const place = (id) => document.getElementById(id);

/**
 * Show the dialog.
 * @param {boolean} refused whether a key was given before and not accepted
 * @returns {Promise<?string>} the key, or null if the person would rather not
 */
export function askForKey(refused) {
  const dialog = place("key-dialog");
  const field = place("key");
  if (refused) place("key-reason").textContent = "The key was not accepted for this. Paste another one; it stays in this tab and is forgotten when the tab is closed.";
  field.value = "";
  return new Promise((resolve) => {
    const ends = new AbortController();
    const finish = (key) => {
      ends.abort();
      dialog.close();
      field.value = "";
      resolve(key);
    };
    const options = { signal: ends.signal };
    place("key-form").addEventListener("submit", (event) => { event.preventDefault(); finish(field.value.trim() || null); }, options);
    place("key-cancel").addEventListener("click", () => finish(null), options);
    dialog.addEventListener("cancel", (event) => { event.preventDefault(); finish(null); }, options);
    dialog.showModal();
    field.focus();
  });
}
