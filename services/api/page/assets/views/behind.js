// Which service is behind: the records that each has still to handle, whether they become fewer, and by topic.

import { html } from "../vendor/htm-preact.js";
import { duration, number, t } from "../i18n.js";
import { STANDS_MS, standing } from "../standing.js";
import { State } from "../ui.js";

export function Behind({ lags }) {
  const services = standing(lags);
  const state = ({ behind, stands }) => {
    if (!behind) return ["ok", t("up_to_date")];
    return stands < STANDS_MS ? ["partial", t("works_it_off")] : ["away", t("no_fewer", { time: duration(stands) })];
  };
  return html`<section class="card" aria-labelledby="lags-title">
    <header class="head"><h2 id="lags-title">${t("lags")}</h2></header>
    <table class="waiting" role="table">
      <thead role="rowgroup"><tr role="row"><th role="columnheader" scope="col">${t("service")}</th><th role="columnheader" scope="col">${t("state")}</th>
        <th role="columnheader" scope="col" class="num">${t("behind")}</th><th role="columnheader" scope="col" class="num">${t("later")}</th></tr></thead>
      <tbody role="rowgroup">${services.map((service) => { const [mark, words] = state(service); return html`<tr role="row" key=${service.name}>
        <td role="cell"><strong>${service.name}</strong> <span class="muted">${t(`does.${service.name}`)}</span></td>
        <td role="cell"><${State} status=${mark} words=${words} /></td>
        <td role="cell" class="num" data-label=${t("behind")}>${number(service.behind)}</td>
        <td role="cell" class="num" data-label=${t("later")}>${number(service.later)}</td></tr>`; })}</tbody>
    </table>
    <details class="by-topic"><summary>${t("by_topic")}</summary>
      <table class="waiting" role="table">
        <thead role="rowgroup"><tr role="row"><th role="columnheader" scope="col">${t("topic")}</th><th role="columnheader" scope="col">${t("group")}</th><th role="columnheader" scope="col" class="num">${t("behind")}</th></tr></thead>
        <tbody role="rowgroup">${lags.map(({ group, topic, behind }) => html`<tr role="row" key=${topic + group}><td role="cell"><code>${topic}</code></td><td role="cell"><code>${group}</code></td>
          <td role="cell" class="num">${number(behind)}</td></tr>`)}</tbody>
      </table></details>
  </section>`;
}
