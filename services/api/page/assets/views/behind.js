// Which service is behind: the records that each has still to handle, whether they become fewer, and by topic.

import { html, useRef } from "../vendor/htm-preact.js";
import { duration, number, t } from "../i18n.js";

// A group is named as its service, or as a part of it, behind the prefix of the installation.
const SERVICES = { downloader: ["planner", "fetcher"], status: ["status"], notifier: ["notifier", "notifier-retry"] };
const STANDS_MS = 9000;

const isRetry = ({ topic }) => topic.includes(".retry.");
const sum = (lags) => lags.reduce((all, { behind }) => all + behind, 0);

// Since when a service has had something to do and has not done any of it; kept from one look to the next.
function useStanding(services) {
  const before = useRef({});
  const now = Date.now();
  for (const { name, behind } of services) {
    const known = before.current[name];
    before.current[name] = !behind ? null : known && behind >= known.behind ? { behind, since: known.since } : { behind, since: now };
  }
  return (name) => (before.current[name] ? now - before.current[name].since : 0);
}

export function Behind({ lags }) {
  const services = Object.entries(SERVICES).map(([name, groups]) => {
    const its = lags.filter(({ group }) => groups.includes(group.split(".").pop()));
    return { name, behind: sum(its.filter((lag) => !isRetry(lag))), later: sum(its.filter(isRetry)) };
  });
  const standing = useStanding(services);
  const state = ({ name, behind }) => {
    if (!behind) return ["ok", t("up_to_date")];
    const stands = standing(name);
    return stands < STANDS_MS ? ["partial", t("works_it_off")] : ["away", t("no_fewer", { time: duration(stands) })];
  };
  return html`<section class="card" aria-labelledby="lags-title">
    <header class="head"><h2 id="lags-title">${t("lags")}</h2></header>
    <table class="waiting" role="table">
      <thead role="rowgroup"><tr role="row"><th role="columnheader" scope="col">${t("service")}</th><th role="columnheader" scope="col">${t("state")}</th>
        <th role="columnheader" scope="col" class="num">${t("behind")}</th><th role="columnheader" scope="col" class="num">${t("later")}</th></tr></thead>
      <tbody role="rowgroup">${services.map((service) => { const [mark, words] = state(service); return html`<tr role="row" key=${service.name}>
        <td role="cell"><strong>${service.name}</strong> <span class="muted">${t(`does.${service.name}`)}</span></td>
        <td role="cell"><span class="state is-${mark}"><i aria-hidden="true"></i>${words}</span></td>
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
