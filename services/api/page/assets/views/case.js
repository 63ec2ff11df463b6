// One case: what it is, how far its job is, and its documents, path and deliveries.

import { html, useEffect } from "../vendor/htm-preact.js";
import { to } from "../address.js";
import { isRunning, useCase } from "../case-state.js";
import { date, duration, money, number as count, t } from "../i18n.js";
import { call, casePath } from "../api.js";
import { readTrouble } from "../trouble.js";
import { Copy, Doing, Fact, Loading, Reason, State, Time, Trouble, usePolled } from "../ui.js";
import { CaseDeliveries } from "./deliveries.js";
import { Documents } from "./documents.js";
import { Path } from "./path.js";

const TROUBLE_MS = 5000;
const LOOKED_AT = 500;
// Reasons that another try does not change.
const LASTING = new Set(["case_too_large", "document_not_found", "document_too_large", "no_access", "no_address", "process_not_found"]);
const PARTS = { documents: Documents, deliveries: CaseDeliveries, path: Path };

export function Case({ number, part }) {
  const known = useCase(number);
  const { view, problem, job, running } = known;
  const [trouble] = usePolled(() => (running ? readTrouble() : null), running ? TROUBLE_MS : 0, [number, running]);
  const state = { ...known, trouble: running ? trouble : null };
  useEffect(() => { document.title = `${number} – Autos`; }, [number]);
  if (!view) return html`<h1 class="number">${number}</h1>${problem ? html`<${Trouble} problem=${problem} again=${state.load} />` : html`<${Loading} />`}`;
  const Part = PARTS[part] ?? Documents;
  return html`
    <section class="card case-head" aria-labelledby="case-title">
      <header class="head">
        <div><h1 id="case-title" class="number">${view.process_number}</h1>
          <${Copy} text=${view.process_number} label=${t("copy_number")} /></div>
        ${view.secrecy_level !== 0 && view.fetched_at && html`<span class="sealed">${view.secrecy_level === null ? t("secrecy_unknown") : t("sealed_case", { level: view.secrecy_level })}</span>`}
      </header>
      <p class="subject">${[view.court, view.class].filter(Boolean).join(" · ") || html`<span class="muted">${t("not_read_yet")}</span>`}</p>
      ${view.stale && html`<p class="note">${t("stale")}</p>`}
      ${problem && html`<${Trouble} problem=${problem} again=${state.load} />`}
      <${Job} state=${state} />
      <dl class="facts">
        <${Fact} name="case_filed">${date(view.filed_at) || "–"}<//>
        <${Fact} name="degree">${view.degree ?? "–"}<//>
        ${view.claim_value !== null && html`<${Fact} name="claim_value">${money(view.claim_value)}<//>`}
        <${Fact} name="parties">${count(view.parties_total)}<//>
        <${Fact} name="movements">${count(view.movements_total)}<//>
        ${view.reference && html`<${Fact} name="reference">${view.reference}<//>`}
        <${Fact} name="read_at"><${Time} at=${view.fetched_at} /><//>
      </dl>
    </section>
    <nav class="tabs under" aria-label=${t("parts")}>
      ${Object.keys(PARTS).map((name) => html`<a href=${to("cases", number, name)} aria-current=${PARTS[name] === Part ? "page" : null}>${t(`part.${name}`)}</a>`)}
    </nav>
    <${Part} state=${state} />`;
}

function Job({ state }) {
  const { job, live, act, trouble } = state;
  const hope = useHope(state);
  if (!job) {
    return html`<div class="job"><span class="muted">${t("not_downloaded")}</span>
      <${Doing} kind="main" label=${t("download_all")} run=${() => act("download-all-documents")} /></div>`;
  }
  const ended = !isRunning(job);
  const took = job.completed_at && Date.parse(job.completed_at) - Date.parse(job.created_at);
  return html`<div class="job">
    <div class="job-line">
      <${State} of="job" status=${job.status} />
      <span role="status">${t("job_counts", { done: job.completed_documents, total: job.total_documents })}
        ${job.failed_documents > 0 && html`, <span class="bad">${t("job_failed", { count: job.failed_documents })}</span>`}</span>
      ${!ended && html`<span class="live ${live ? "on" : ""}">${live ? t("live") : t("connecting")}</span>`}
      ${took !== null && html`<span class="muted">${t("took", { time: duration(took) })}</span>`}
      ${ended && html`<span class="actions">
        ${(job.failed_documents > 0 || ["failed", "cancelled"].includes(job.status)) && html`<${Doing} kind=${hope ? "main" : "quiet"} label=${t("retry_failed")} run=${() => act("download-all-documents")} />`}
        <${Refresh} state=${state} />
      </span>`}
    </div>
    <${Progress} job=${job} />
    <${Reason} code=${job.error_code} message=${job.error_message} />
    ${!ended && html`<${Waiting} trouble=${trouble} />`}
  </div>`;
}

function Progress({ job }) {
  const share = (count) => `${(100 * count / Math.max(1, job.total_documents)).toFixed(3)}%`;
  return html`<div class="progress"><progress max="100" value=${job.progress_percentage} aria-label=${t("progress")}></progress>
    ${job.failed_documents > 0 && html`<i aria-hidden="true" style=${{ left: share(job.completed_documents), width: share(job.failed_documents) }}></i>`}</div>`;
}

// With the status service behind nobody can say here what really waits for the source.
function Waiting({ trouble }) {
  const { source, behind } = trouble ?? {};
  if (behind) return html`<p class="note" role="status">${t("status_behind", { count: behind })}</p>`;
  return source ? html`<p class="note" role="status">${t(`source_trouble.${source.state}`)} ${t("since_then")} <${Time} at=${source.since} />.</p>` : null;
}

// Whether trying again may help: of what failed, something failed for a reason that may pass.
function useHope({ number, job, revision }) {
  const asked = Boolean(job) && !isRunning(job) && job.failed_documents > 0;
  const read = () => (asked ? call(`${casePath(number)}/documents`, { parameters: { status: "failed", limit: LOOKED_AT } }) : null);
  const [found] = usePolled(read, 0, [number, asked, revision]);
  if (!asked) return !LASTING.has(job?.error_code);
  return Boolean(found && (found.next_cursor || found.documents.some((document) => !LASTING.has(document.error_code))));
}

const Refresh = ({ state }) => html`<${Doing} label=${t("read_again")} run=${() => state.ask({ refresh: true })} />`;
