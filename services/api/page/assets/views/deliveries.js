// Webhook deliveries, the newest first: of every case, or of one; each opens to its attempts.

import { html, useEffect, useState } from "../vendor/htm-preact.js";
import { to } from "../address.js";
import { call } from "../api.js";
import { clock, t } from "../i18n.js";
import { Empty, Loading, State, Time, Trouble, useList, usePolled } from "../ui.js";
import { Attempts } from "./attempts.js";

const PAGE = 50;
const EVERY_MS = 3000;
const STATUSES = ["pending", "sending", "waiting", "delivered", "exhausted", "gone", "cancelled"];

export function Deliveries() {
  useEffect(() => { document.title = `${t("tab.deliveries")} – Autos`; }, []);
  return html`<${DeliveryList} level="h1" />`;
}

export const CaseDeliveries = ({ state }) => html`<${DeliveryList} number=${state.number} level="h2" />`;

function DeliveryList({ number, level: Heading }) {
  const { cursor, status, choice, pager } = useList(PAGE, (name) => t(`delivery.${name}`), STATUSES);
  const [opened, setOpened] = useState(null);
  const read = () => call("webhooks/deliveries", { parameters: { limit: PAGE, cursor, status, process_number: number } });
  const [page, problem, again] = usePolled(read, cursor ? 0 : EVERY_MS, [cursor, status, number]);
  const deliveries = page?.deliveries ?? [];
  return html`<section class="card" aria-labelledby="deliveries-title">
    <header class="head"><${Heading} id="deliveries-title" class="small-title">${t("tab.deliveries")}<//>${choice}</header>
    ${problem && html`<${Trouble} problem=${problem} again=${again} />`}
    ${!page && !problem && html`<${Loading} />`}
    ${page && !deliveries.length && html`<${Empty} text=${t("no_deliveries")} />`}
    ${deliveries.length > 0 && html`<table class="deliveries" role="table">
      <thead role="rowgroup"><tr role="row">
        <th role="columnheader" scope="col">${t("made_at")}</th>
        ${!number && html`<th role="columnheader" scope="col">${t("case_number")}</th>`}
        <th role="columnheader" scope="col">${t("receiver")}</th><th role="columnheader" scope="col">${t("event")}</th>
        <th role="columnheader" scope="col" class="num">${t("attempts")}</th><th role="columnheader" scope="col">${t("state")}</th>
      </tr></thead>
      ${deliveries.map((delivery) => html`<${Row} key=${delivery.id} delivery=${delivery} number=${number} again=${again}
        open=${delivery.id === opened} toggle=${() => setOpened(delivery.id === opened ? null : delivery.id)} />`)}
    </table>`}
    ${pager(page, deliveries.length)}
  </section>`;
}

// The whole row opens, by the pointer; for the keyboard there is its button. What is in the row and does something of its own still does.
const byRow = (toggle) => (event) => {
  if (!event.target.closest("a, button") && getSelection().isCollapsed) toggle();
};

const retriedAt = ({ status, next_attempt_at: at }) => (status === "waiting" && at ? t("retried_at", { at: clock(at) }) : null);

const Row = ({ delivery, number, open, toggle, again }) => html`<tbody role="rowgroup" class=${open ? "open" : ""}>
  <tr role="row" class="opens" onClick=${byRow(toggle)}>
    <td role="cell" class="when"><button type="button" class="row" aria-expanded=${open} aria-controls=${`w-${delivery.id}`} onClick=${toggle}><${Time} at=${delivery.created_at} /></button></td>
    ${!number && html`<td role="cell">${delivery.process_number ? html`<a class="number" href=${to("cases", delivery.process_number, "deliveries")}>${delivery.process_number}</a>` : "–"}</td>`}
    <td role="cell" class="url">${delivery.url}</td>
    <td role="cell" class="kind"><code>${delivery.event_type}</code></td>
    <td role="cell" class="num" data-label=${t("attempts")}>${delivery.attempt_count}</td>
    <td role="cell" class="status"><${State} of="delivery" status=${delivery.status} words=${retriedAt(delivery)} />
      ${delivery.status !== "delivered" && delivery.last_status_code && html`<span class="muted"> · ${t("answered", { status: String(delivery.last_status_code) })}</span>`}</td>
  </tr>
  ${open && html`<tr role="row" class="details"><td role="cell" colspan=${number ? 5 : 6} id=${`w-${delivery.id}`}><${Attempts} delivery=${delivery} again=${again} /></td></tr>`}
</tbody>`;
