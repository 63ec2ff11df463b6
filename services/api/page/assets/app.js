// The frame: who looks (the key), where one is, and the view that belongs there.

import { html, useEffect, useRef, useState } from "./vendor/htm-preact.js";
import { to, usePlace } from "./address.js";
import { onRefusal } from "./api.js";
import { loadExtension } from "./extension.js";
import { t } from "./i18n.js";
import { forgetKey, key, takeFromAddress } from "./key.js";
import { KeyForm } from "./views/key-form.js";
import { Cases } from "./views/cases.js";
import { Case } from "./views/case.js";
import { Deliveries } from "./views/deliveries.js";
import { Endpoints } from "./views/endpoints.js";
import { System } from "./views/system.js";

const VIEWS = Object.fromEntries(Object.entries({ cases: Cases, deliveries: Deliveries, endpoints: Endpoints, system: System })
  .map(([tab, view]) => [tab, { tab, view }]));

// Each opens in a tab of its own: whoever came back to this one would have lost the key, which is in its memory alone.
const OUTSIDE = [["docs", "documentation"], ["openapi.json", "OpenAPI 3.1"], ["health/ready", "health"]];

function viewOf([first, second, ...rest]) {
  if (first === "cases" && second) return { tab: "cases", view: Case, parameters: { number: second, part: rest[0] ?? "documents" } };
  return { parameters: { id: second }, ...(VIEWS[first] ?? VIEWS.cases) };
}

export function App() {
  const place = usePlace();
  const [refused, setRefused] = useState(false);
  const [held, setHeld] = useState(key());
  const [, setExtension] = useState(null);
  useEffect(() => onRefusal(() => setRefused(true)), []);
  useEffect(() => {
    loadExtension().then((found) => {
      if (!found) return;
      VIEWS.break = { tab: "break", view: found.view, label: found.label };
      setExtension(found);
    });
  }, [held]);
  useEffect(() => {
    const given = () => { takeFromAddress(); setHeld(key()); setRefused(false); };
    addEventListener("hashchange", given);
    return () => removeEventListener("hashchange", given);
  }, []);
  const forget = () => { forgetKey(); setHeld(null); setRefused(false); };
  const { tab, view: View, parameters } = viewOf(place);
  const ready = held && !refused;
  return html`
    <a class="skip" href="#main" onClick=${(event) => { event.preventDefault(); document.getElementById("main").focus(); }}>${t("skip")}</a>
    <header class="bar">
      <a class="brand" href=${to("cases")}>Autos</a>
      ${ready && html`<${Tabs} current=${tab} />`}
      ${ready && html`<span class="who"><span class="muted">${t("key")} <code>…${held.slice(-4)}</code></span>
        <button type="button" class="quiet small" onClick=${forget}>${t("forget_key")}</button></span>`}
    </header>
    <main id="main" tabindex="-1">
      ${ready ? html`<${View} key=${place.slice(0, 2).join("/")} ...${parameters} />`
        : html`<${KeyForm} refused=${refused} taken=${() => { setHeld(key()); setRefused(false); }} />`}
    </main>
    <footer>${OUTSIDE.map(([address, name]) => html`<a href=${address} target="_blank" rel="noopener">${t(name)}</a>`)}</footer>`;
}

const Tabs = ({ current }) => html`<nav class="tabs" aria-label=${t("sections")}>
  ${Object.entries(VIEWS).map(([name, { tab, label }]) => html`<a href=${to(name)} aria-current=${tab === current ? "page" : null}>${label ?? t(`tab.${name}`)}</a>`)}
</nav>`;
