// Asks for the API key, and where it is kept.

import { html, useEffect, useRef, useState } from "../vendor/htm-preact.js";
import { t } from "../i18n.js";
import { setKey } from "../key.js";

export function KeyForm({ refused, taken }) {
  const [keep, setKeep] = useState(false);
  const input = useRef(null);
  useEffect(() => { document.title = "Autos"; input.current.focus(); }, []);
  const submit = (event) => {
    event.preventDefault();
    const value = input.current.value.trim();
    if (!value) return;
    setKey(value, keep);
    taken();
  };
  return html`<section class="sheet">
    <h1>${t("welcome")}</h1>
    <p class="muted">${t("welcome_more")}</p>
    ${refused && html`<p class="bad" role="alert">${t("key_refused")}</p>`}
    <form onSubmit=${submit} class="column">
      <label for="key">${t("api_key")}</label>
      <input id="key" ref=${input} type="password" autocomplete="off" spellcheck=${false} required />
      <label class="check"><input type="checkbox" checked=${keep} onChange=${(event) => setKeep(event.target.checked)} />${t("keep_key")}</label>
      <div><button type="submit" class="main">${t("open")}</button></div>
    </form>
  </section>`;
}
