// The receivers of webhooks: those that were registered, and every URL that requests named; how each does.

import { html, useEffect, useState } from "../vendor/htm-preact.js";
import { call } from "../api.js";
import { duration, number, t } from "../i18n.js";
import { Doing, Empty, Fact, Loading, Reason, State, Time, Trouble, usePolled } from "../ui.js";

const EVERY_MS = 5000;

export function Endpoints() {
  useEffect(() => { document.title = `${t("tab.endpoints")} – Autos`; }, []);
  const [answer, problem, again] = usePolled(() => call("webhooks/endpoints"), EVERY_MS);
  return html`<section class="card" aria-labelledby="endpoints-title">
    <header class="head"><h1 id="endpoints-title" class="small-title">${t("tab.endpoints")}</h1></header>
    ${problem && html`<${Trouble} problem=${problem} again=${again} />`}
    ${!answer && !problem && html`<${Loading} />`}
    ${answer && (answer.endpoints.length
      ? html`<ul class="list">${answer.endpoints.map((endpoint) => html`<${Endpoint} key=${endpoint.id} endpoint=${endpoint} again=${again} />`)}</ul>`
      : html`<${Empty} text=${t("no_endpoints")} />`)}
  </section>`;
}

const standing = (endpoint) => (endpoint.disabled_at ? "disabled" : endpoint.consecutive_failures > 0 ? "failing" : endpoint.last_success_at ? "ok" : "new");
const MARKS = { disabled: "disabled", failing: "partial", ok: "ok", new: "pending" };

function Endpoint({ endpoint, again }) {
  const [result, setResult] = useState(null);
  const state = standing(endpoint);
  const test = async () => {
    const target = endpoint.registered ? { endpoint_id: endpoint.id } : { url: endpoint.url };
    setResult(await call("webhooks/test", { method: "POST", body: target }));
  };
  const enable = async () => {
    await call(`webhooks/endpoints/${endpoint.id}/enable`, { method: "POST" });
    await again();
  };
  return html`<li>
    <div class="head"><div><h2 class="url">${endpoint.url}</h2>
      <span class="tag">${t(endpoint.registered ? "registered" : "from_requests")}</span></div>
      <${State} status=${MARKS[state]} words=${t(`endpoint.${state}`)} /></div>
    ${endpoint.description && html`<p class="muted">${endpoint.description}</p>`}
    ${endpoint.disabled_reason && html`<p class="bad">${endpoint.disabled_reason}</p>`}
    <dl class="facts">
      <${Fact} name="events">${endpoint.events.map((name) => html`<code>${name}</code> `)}<//>
      <${Fact} name="payload">${endpoint.payload}<//>
      <${Fact} name="failures_in_a_row">${number(endpoint.consecutive_failures)}<//>
      <${Fact} name="last_success"><${Time} at=${endpoint.last_success_at} /><//>
      <${Fact} name="last_failure"><${Time} at=${endpoint.last_failure_at} /><//>
      ${endpoint.header_names.length > 0 && html`<${Fact} name="own_headers">${endpoint.header_names.join(", ")}<//>`}
      ${endpoint.rate && html`<${Fact} name="rate">${endpoint.rate}<//>`}
    </dl>
    <div class="actions">
      <${Doing} label=${t("send_test")} run=${test} />
      ${state === "disabled" && html`<${Doing} kind="main" label=${t("enable")} run=${enable} done=${t("enabled")} />`}
    </div>
    ${result && html`<p role="status" class=${result.succeeded ? "good" : "bad"}>${result.status_code
      ? t("test_answered", { status: String(result.status_code), time: duration(result.duration_ms) }) : t("no_answer")}
      ${" "}<${Reason} code=${result.error_code} message=${result.error_message} /></p>`}
  </li>`;
}
