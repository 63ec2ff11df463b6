// The path of a case, from the request to the webhook, as a waterfall of stored times.

import { html } from "../vendor/htm-preact.js";
import { call, casePath } from "../api.js";
import { duration, t, time } from "../i18n.js";
import { scaleOf, spansOf } from "../spans.js";
import { Empty, Loading, Trouble, usePolled } from "../ui.js";

const MOST = 40;
const EVERY_MS = 2000;

export function Path({ state }) {
  const { number, view, job, running } = state;
  const read = async () => {
    const [page, sent] = await Promise.all([
      call(`${casePath(number)}/documents`, { parameters: { limit: 500 } }),
      call("webhooks/deliveries", { parameters: { process_number: number, limit: 20 } }).catch((error) => { if (error.status === 403) return { deliveries: [] }; throw error; }),
    ]);
    return { documents: page.documents, deliveries: sent.deliveries };
  };
  const [found, problem, again] = usePolled(read, EVERY_MS, [number, job?.job_id, running]);
  if (problem) return html`<section class="card"><${Trouble} problem=${problem} again=${again} /></section>`;
  if (!found) return html`<section class="card"><${Loading} /></section>`;
  const spans = spansOf({ view, job, ...found }, MOST);
  if (!spans.length) return html`<section class="card"><${Empty} text=${t("no_path")} /></section>`;
  return html`<${Waterfall} spans=${spans} />`;
}

function Waterfall({ spans }) {
  const { of, first, end, gaps } = scaleOf(spans);
  const percent = (share) => `${(share * 100).toFixed(3)}%`;
  return html`<section class="card" aria-labelledby="path-title">
    <header class="head"><h2 id="path-title">${t("part.path")}</h2>
      <span class="muted">${t("path_from", { at: time(new Date(first).toISOString()), time: duration(end - first) })}</span></header>
    <table class="path" role="table">
      <thead role="rowgroup"><tr role="row">
        <th role="columnheader" scope="col">${t("step")}</th><th role="columnheader" scope="col" class="num">${t("after")}</th>
        <th role="columnheader" scope="col" class="num">${t("took_column")}</th><th role="columnheader" scope="col" aria-hidden="true"></th>
      </tr></thead>
      <tbody role="rowgroup">${spans.map((span) => html`<tr role="row">
        <td role="cell" class="step">${nameOf(span)}</td>
        <td role="cell" class="num">${duration(span.from - first)}</td>
        <td role="cell" class="num">${span.running ? t("under_way") : span.to > span.from ? duration(span.to - span.from) : ""}</td>
        <td class="bar-cell" aria-hidden="true"><div class="lane">
          ${gaps.map((gap) => html`<i class="gap" style=${{ left: percent(gap.at), width: percent(gap.width) }}></i>`)}
          <i class=${`span ${span.kind} ${span.status ? `is-${span.status}` : ""} ${span.to === span.from ? "moment" : ""}`}
            style=${{ left: percent(of(span.from)), width: percent(of(span.to) - of(span.from)) }}></i></div></td>
      </tr>`)}</tbody>
    </table>
    ${gaps.length > 0 && html`<p class="muted foot">${t("gaps", { times: gaps.map((gap) => duration(gap.to - gap.from)).join(", ") })}</p>`}
  </section>`;
}

function nameOf(span) {
  switch (span.kind) {
    case "document": return html`<span class="muted">${t("step.document")}</span> ${span.name}`;
    case "documents": return t("step.documents", { count: span.count });
    case "attempt": return html`${t("step.attempt", { number: span.count })} <span class="muted">${span.code ? `HTTP ${span.code}` : t("no_answer")}</span>`;
    case "ended": return html`${t("step.ended")} <span class="muted">${t(`job.${span.status}`)}</span>`;
    default: return t(`step.${span.kind}`);
  }
}
