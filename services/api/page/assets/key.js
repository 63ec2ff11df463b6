// The API key of this page: in memory, or in this tab's sessionStorage where that is chosen; never in the address.

const NAME = "autos-key";
let held = null;
let control = null;

// A key in the fragment (#key=…) is taken, and removed from the address and from the history.
export function takeFromAddress() {
  const given = new URLSearchParams(location.hash.slice(1));
  if (given.has("control")) control = given.get("control");
  if (!given.has("key")) return;
  held = given.get("key");
  history.replaceState(null, "", `${location.pathname}${location.search}#/`);
}

const stored = () => { try { return sessionStorage.getItem(NAME); } catch { return null; } };

export const key = () => held ?? (held = stored());
export const isKept = () => stored() !== null;
// Of the embedded stack's supervisor, given with the key.
export const controlToken = () => control;

export function setKey(value, keep) {
  held = value;
  try {
    if (keep) sessionStorage.setItem(NAME, value);
    else sessionStorage.removeItem(NAME);
  } catch { /* A browser that stores nothing: memory it is. */ }
}

export function forgetKey() {
  setKey(null, false);
}
