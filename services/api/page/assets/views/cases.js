// Asks for a case, and lists those that were asked for, the latest first.

import { html, useEffect, useState } from "../vendor/htm-preact.js";
import { go, to } from "../address.js";
import { call, casePath } from "../api.js";
import { bring } from "../case-state.js";
import { examine } from "../cnj.js";
import { t } from "../i18n.js";
import { Empty, Loading, State, Time, Trouble, useList, usePolled } from "../ui.js";
import { NumberField } from "./number-field.js";

const PAGE = 50;
const EVERY_MS = 5000;
const STATUSES = ["pending", "processing", "completed", "partial", "failed", "cancelled"];

export function Cases() {
  useEffect(() => { document.title = `${t("tab.cases")} – Autos`; }, []);
  return html`<h1 class="visually-hidden">${t("tab.cases")}</h1><${Ask} /><${List} />`;
}

function Ask() {
  const [number, setNumber] = useState("");
  const [webhook, setWebhook] = useState("");
  const [reference, setReference] = useState("");
  const [refresh, setRefresh] = useState(false);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState(null);
  const found = examine(number);
  const ask = async (event) => {
    event.preventDefault();
    if (found.state !== "valid") return;
    setBusy(true);
    setProblem(null);
    try {
      const parameters = { documents: false, webhook_url: webhook.trim(), reference: reference.trim(), refresh: refresh || null };
      const view = await call(casePath(found.number), { parameters });
      bring(view);
      go("cases", view.process_number);
    } catch (error) {
      setProblem(error);
      setBusy(false);
    }
  };
  return html`<section class="card" aria-labelledby="ask-title">
    <h2 id="ask-title">${t("ask")}</h2>
    <form class="ask" onSubmit=${ask}>
      <${NumberField} value=${number} change=${(text) => { setNumber(text); setProblem(null); }} />
      <button type="submit" class="main" disabled=${busy || found.state !== "valid"}>${busy ? t("asking") : t("ask_button")}</button>
      <details>
        <summary>${t("more_options")}</summary>
        <div class="options">
          <div class="field"><label for="webhook">${t("webhook_url")}</label>
            <input id="webhook" type="url" value=${webhook} onInput=${(event) => setWebhook(event.target.value)} placeholder="https://" /></div>
          <div class="field"><label for="reference">${t("reference")}</label>
            <input id="reference" maxlength="200" value=${reference} onInput=${(event) => setReference(event.target.value)} /></div>
          <label class="check"><input type="checkbox" checked=${refresh} onChange=${(event) => setRefresh(event.target.checked)} />${t("refresh")}</label>
        </div>
      </details>
    </form>
    ${problem && html`<${Trouble} problem=${problem} />`}
  </section>`;
}

function List() {
  const { cursor, status, choice, pager } = useList(PAGE, (name) => t(`job.${name}`), STATUSES);
  const read = () => call("processes", { parameters: { limit: PAGE, cursor, status } });
  const [page, problem, again] = usePolled(read, cursor ? 0 : EVERY_MS, [cursor, status]);
  return html`<section class="card" aria-labelledby="list-title">
    <header class="head"><h2 id="list-title">${t("your_cases")}</h2>${choice}</header>
    ${problem && html`<${Trouble} problem=${problem} again=${again} />`}
    ${!page && !problem && html`<${Loading} />`}
    ${page && (page.processes.length ? html`<p class="muted foot">${t("cases_order")}</p><${Rows} entries=${page.processes} />` : html`<${Empty} text=${t("no_cases")} />`)}
    ${pager(page, page?.processes.length)}
  </section>`;
}

const Rows = ({ entries }) => html`<table class="cases" role="table">
  <thead role="rowgroup"><tr role="row">
    <th role="columnheader" scope="col">${t("case_number")}</th><th role="columnheader" scope="col">${t("state")}</th>
    <th role="columnheader" scope="col" class="num">${t("documents")}</th><th role="columnheader" scope="col" class="num">${t("failed_ones")}</th>
    <th role="columnheader" scope="col">${t("asked_at")}</th>
  </tr></thead>
  <tbody role="rowgroup">${entries.map(({ process_number: number, job, sealed, first_requested_at: at }) => html`<tr role="row" key=${number}>
    <td role="cell"><a class="number" href=${to("cases", number)}>${number}</a>
      ${sealed && html`<span class="sealed" title=${t("sealed_case_more")}>${t("sealed_mark")}</span>`}
      ${job?.reference && html`<span class="muted ref">${job.reference}</span>`}</td>
    <td role="cell">${job ? html`<${State} of="job" status=${job.status} />` : html`<span class="muted">${t("not_downloaded")}</span>`}</td>
    <td role="cell" class="num" data-label=${t("documents")}>${job ? `${job.completed_documents}/${job.total_documents}` : ""}</td>
    <td role="cell" class="num" data-label=${t("failed_ones")}>${job?.failed_documents || ""}</td>
    <td role="cell" class="when"><${Time} at=${at} /></td>
  </tr>`)}</tbody>
</table>`;
