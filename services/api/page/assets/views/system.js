// How the system does: what everybody may know (readiness), and for keys with admin what waits, where, and what was given up.

import { html, useEffect } from "../vendor/htm-preact.js";
import { call } from "../api.js";
import { duration, number, t } from "../i18n.js";
import { Empty, Fact, Loading, Reason, State, Time, Trouble, usePolled } from "../ui.js";
import { DeadLetters } from "./dead-letters.js";
import { Behind } from "./behind.js";

const EVERY_MS = 3000;
const SOURCE_MS = 10_000;

// Readiness is 503 with the same content where the database is away.
const ready = () => call("health/ready").catch((problem) => { if (problem.content?.checks) return problem.content; throw problem; });

export function System() {
  useEffect(() => { document.title = `${t("tab.system")} – Autos`; }, []);
  const [health, problem, again] = usePolled(ready, EVERY_MS);
  return html`<h1 class="visually-hidden">${t("tab.system")}</h1>
    <section class="card" aria-labelledby="health-title">
      <header class="head"><h2 id="health-title">${t("services")}</h2>${health && html`<${State} of="health" status=${health.status} />`}</header>
      ${problem && html`<${Trouble} problem=${problem} again=${again} />`}
      ${!health && !problem && html`<${Loading} />`}
      ${health && html`<table class="checks" role="table"><tbody role="rowgroup">${Object.entries(health.checks).map(([name, outcome]) => html`<tr role="row">
        <th role="rowheader" scope="row">${t(`check.${name}`)}</th>
        <td role="cell"><${State} status=${outcome === "ok" ? "ok" : "away"} words=${t(outcome === "ok" ? "answers" : "away")} /></td>
        <td role="cell" class="muted">${outcome === "ok" ? "" : outcome}</td></tr>`)}</tbody></table>`}
    </section>
    <${Sources} />
    <${Inside} />`;
}

const DAY_MS = 24 * 3600 * 1000;

function Sources() {
  const [status, problem, again] = usePolled(() => call("source/status"), SOURCE_MS);
  return html`<section class="card" aria-labelledby="source-title">
    <header class="head"><h2 id="source-title">${t("source")}</h2></header>
    ${problem && html`<${Trouble} problem=${problem} again=${again} />`}
    ${!status && !problem && html`<${Loading} />`}
    ${status && (status.sources.length ? html`<ul class="list">${status.sources.map((source) => html`<${Source} key=${source.source} source=${source} />`)}</ul>`
      : html`<${Empty} text=${t("source.unknown.more")} />`)}
  </section>`;
}

function Source({ source }) {
  const hours = source.hours.filter(({ hour }) => Date.parse(hour) > Date.now() - DAY_MS);
  const sum = (name) => number(hours.reduce((all, hour) => all + hour[name], 0));
  return html`<li>
    <div class="head"><div><strong>${source.source}</strong></div><${State} of="source" status=${source.state} /></div>
    <p class="muted">${t(`source.${source.state}.more`)}${source.since && source.state !== "open" ? html` ${t("since")} <${Time} at=${source.since} />.` : ""}</p>
    <${Reason} code=${source.reason} message=${source.message} />
    <dl class="facts"><${Fact} name="requests_day">${sum("requests")}<//><${Fact} name="succeeded">${sum("succeeded")}<//>
      <${Fact} name="throttled">${sum("throttled")}<//><${Fact} name="unavailable">${sum("unavailable")}<//>
      <${Fact} name="seen_at"><${Time} at=${source.seen_at} /><//></dl>
  </li>`;
}

function Inside() {
  const [state, problem, again] = usePolled(() => call("system"), EVERY_MS);
  if (problem?.status === 403) return html`<p class="muted">${t("needs_admin")}</p>`;
  if (problem) return html`<section class="card"><${Trouble} problem=${problem} again=${again} /></section>`;
  if (!state) return html`<section class="card"><${Loading} /></section>`;
  return html`
    <section class="card" aria-labelledby="waiting-title">
      <header class="head"><h2 id="waiting-title">${t("waiting")}</h2><span class="muted"><${Time} at=${state.at} /></span></header>
      <table class="waiting" role="table">
        <thead role="rowgroup"><tr role="row"><th role="columnheader" scope="col">${t("what")}</th><th role="columnheader" scope="col" class="num">${t("how_many")}</th><th role="columnheader" scope="col" class="num">${t("oldest")}</th></tr></thead>
        <tbody role="rowgroup">${state.queues.map((queue) => html`<tr role="row" key=${queue.name}><td role="cell">${t(`queue.${queue.name}`)}</td>
          <td role="cell" class="num" data-label=${t("how_many")}>${number(queue.waiting)}</td>
          <td role="cell" class="num" data-label=${t("oldest")}>${queue.oldest_seconds === null ? "–" : duration(queue.oldest_seconds * 1000)}</td></tr>`)}</tbody>
      </table>
    </section>
    ${state.lags && html`<${Behind} lags=${state.lags} />`}
    <${DeadLetters} counts=${state.dead_letters} />`;
}
