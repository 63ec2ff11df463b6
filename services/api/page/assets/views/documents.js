// The documents of a case in its order, a page at a time: however many there are, a page is in the document.

import { html, useEffect, useState } from "../vendor/htm-preact.js";
import { call, casePath, url } from "../api.js";
import { key } from "../key.js";
import { bytes, date, t } from "../i18n.js";
import { Empty, Loading, Reason, State, Trouble, useList } from "../ui.js";
import { Details } from "./document-details.js";
import { Preview, canPreview } from "./preview.js";

const PAGE = 100;
const STATUSES = ["pending", "processing", "available", "failed"];
const WAIT_MS = 200;
const AGAIN_MS = 2000;

export function Documents({ state }) {
  const { cursor, status, choice, pager } = useList(PAGE, (name) => t(`document.${name}`), STATUSES);
  const [page, setPage] = useState(null);
  const [problem, setProblem] = useState(null);
  const [opened, setOpened] = useState(null);
  const [previewed, setPreviewed] = useState(null);
  const { number, job, shown, latest, revision, changed, running } = state;
  const unread = state.trouble?.source?.state === "away" && !state.view.fetched_at;
  const total = job?.total_documents;

  const read = async (signal) => {
    try {
      const found = await call(`${casePath(number)}/documents`, { parameters: { limit: PAGE, cursor, status }, signal });
      shown.clear();
      for (const document of found.documents) shown.add(document.id);
      setPage(found);
      setProblem(null);
    } catch (error) {
      if (error.name !== "AbortError") setProblem(error);
    }
  };
  // What the stream tells patches the rows that are there; a list by state, and one that has grown, is read again.
  const again = status && running && changed ? Math.floor(performance.now() / AGAIN_MS) : 0;
  useEffect(() => {
    const stop = new AbortController();
    const timer = setTimeout(() => read(stop.signal), again || revision > 1 ? WAIT_MS : 0);
    return () => { stop.abort(); clearTimeout(timer); };
  }, [number, cursor, status, revision, total, again]);

  const rows = (page?.documents ?? []).map((document) => latest.get(document.id) ?? document);
  return html`<section class="card" aria-labelledby="documents-title">
    <header class="head"><h2 id="documents-title">${t("part.documents")}</h2>${choice}
      ${job?.completed_documents > 0 && html`<${Archive} number=${number} />`}</header>
    ${problem && html`<${Trouble} problem=${problem} again=${() => read()} />`}
    ${!page && !problem && html`<${Loading} />`}
    ${page && !rows.length && html`<${Empty} text=${running && !status ? t(unread ? "documents_wait" : "documents_to_come") : t("no_documents")} />`}
    ${rows.length > 0 && html`<${Table} rows=${rows} opened=${opened} open=${setOpened} preview=${setPreviewed} state=${state} />`}
    ${pager(page, rows.length, page?.total)}
    ${previewed && html`<${Preview} number=${number} document=${previewed} close=${() => setPreviewed(null)} />`}
  </section>`;
}

const Table = ({ rows, opened, open, preview, state }) => html`<table class="documents" role="table">
  <thead role="rowgroup"><tr role="row">
    <th role="columnheader" scope="col" class="num">${t("position")}</th><th role="columnheader" scope="col">${t("name")}</th>
    <th role="columnheader" scope="col">${t("type")}</th><th role="columnheader" scope="col">${t("filed_at")}</th>
    <th role="columnheader" scope="col" class="num">${t("size")}</th><th role="columnheader" scope="col">${t("state")}</th>
    <th role="columnheader" scope="col"><span class="visually-hidden">${t("actions")}</span></th>
  </tr></thead>
  ${rows.map((document) => html`<${Row} key=${document.id} document=${document} state=${state} preview=${preview}
    open=${document.id === opened} toggle=${() => open(document.id === opened ? null : document.id)} />`)}
</table>`;

function Row({ document, open, toggle, preview, state }) {
  const { id, status } = document;
  return html`<tbody role="rowgroup" class=${open ? "open" : ""}>
    <tr role="row">
      <td role="cell" class="num muted">${document.position}</td>
      <td role="cell" class="name"><button type="button" class="row" aria-expanded=${open} aria-controls=${`d-${id}`} onClick=${toggle}>${document.name}</button>
        ${isSealed(document) && html`<span class="sealed" title=${t("sealed_more")}>${t("sealed_document", { level: document.secrecy_level })}</span>`}
        ${document.rendition === "text" && html`<span class="tag">${t("text_only")}</span>`}
        ${document.duplicate_of && html`<span class="tag">${t("duplicate")}</span>`}
        ${status === "failed" && html`<${Reason} code=${document.error_code} message=${document.error_message} />`}</td>
      <td role="cell" class="kind">${document.type ?? ""}</td>
      <td role="cell" class="when">${date(document.filed_at)}</td>
      <td role="cell" class="num size">${bytes(document.size)}</td>
      <td role="cell" class="status"><${State} of="document" status=${status} /></td>
      <td role="cell" class="links">
        ${canPreview(document) && html`<button type="button" class="quiet small" onClick=${() => preview(document)} aria-label=${t("preview_of", { name: document.name })}>${t("preview")}</button>`}
        ${document.download_url && html`<a class="quiet small" href=${document.download_url} rel="noopener" aria-label=${t("save_of", { name: document.name })}>${t("save")}</a>`}
      </td>
    </tr>
    ${open && html`<tr role="row" class="details"><td role="cell" colspan="7" id=${`d-${id}`}><${Details} document=${document} state=${state} /></td></tr>`}
  </tbody>`;
}

const PUBLIC = new Set([null, undefined, "PUBLICO", "0"]);
export const isSealed = (document) => !PUBLIC.has(document.secrecy_level);

// The archive is streamed by the API, which wants the key: the bytes come here and are saved from here.
function Archive({ number }) {
  const [busy, setBusy] = useState(false);
  const [bad, setBad] = useState(false);
  const save = async () => {
    setBusy(true);
    setBad(false);
    try {
      const answer = await fetch(url(`${casePath(number)}/documents.zip`), { headers: { Authorization: `Bearer ${key()}` }, cache: "no-store" });
      if (!answer.ok) throw new Error(String(answer.status));
      const link = Object.assign(window.document.createElement("a"), { href: URL.createObjectURL(await answer.blob()), download: `${number}.zip` });
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
    } catch {
      setBad(true);
    }
    setBusy(false);
  };
  return html`<button type="button" class="quiet" disabled=${busy} onClick=${save}>${bad ? t("zip_failed") : busy ? t("zip_coming") : t("zip")}</button>`;
}
