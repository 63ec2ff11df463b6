// What was given up, for keys with admin: why, since when, and a button that has it tried again.

import { html, useEffect, useRef, useState } from "../vendor/htm-preact.js";
import { to } from "../address.js";
import { call } from "../api.js";
import { duration, number, t } from "../i18n.js";
import { Dialog, Doing, Empty, Loading, Reason, Time, Trouble, useList, usePolled } from "../ui.js";

const PAGE = 25;
const EVERY_MS = 5000;
const PLACES = ["document.dead", "process.dead", "webhook.dead", "progress.dead_letters", "outbox/catalog", "outbox/progress", "outbox/delivery"];

// `counts` are those of GET /system, by place; a place that the broker does not show has none.
export function DeadLetters({ counts }) {
  const held = (place) => counts.find(({ topic }) => topic === place)?.count;
  const named = (place) => `${t(`place.${place}`)}${held(place) === undefined ? "" : ` (${number(held(place))})`}`;
  const { cursor, status: topic, choice, pager } = useList(PAGE, named, PLACES, t("where"));
  const [page, problem, again] = usePolled(() => call("dead-letters", { parameters: { limit: PAGE, cursor, topic } }), cursor ? 0 : EVERY_MS, [cursor, topic]);
  const letters = page?.dead_letters ?? [];
  return html`<section class="card" aria-labelledby="dead-letters-title">
    <header class="head"><h2 id="dead-letters-title">${t("dead_letters")}</h2>${choice}</header>
    <p class="muted foot">${t("dead_letters_more")}</p>
    ${problem && html`<${Trouble} problem=${problem} again=${again} />`}
    ${!page && !problem && html`<${Loading} />`}
    ${page && !letters.length && html`<${Empty} text=${t("nothing_given_up")} />`}
    ${letters.length > 0 && html`<table class="letters" role="table">
      <thead role="rowgroup"><tr role="row"><th role="columnheader" scope="col">${t("given_up_at")}</th><th role="columnheader" scope="col">${t("what")}</th>
        <th role="columnheader" scope="col">${t("why")}</th><th role="columnheader" scope="col">${t("actions")}</th></tr></thead>
      <tbody role="rowgroup">${letters.map((letter) => html`<${Letter} key=${letter.id + letter.at} letter=${letter} again=${again} />`)}</tbody>
    </table>`}
    ${pager(page, letters.length)}
  </section>`;
}

const Letter = ({ letter, again }) => html`<tr role="row">
  <td role="cell" class="when"><${Time} at=${letter.at} /><br /><span class="muted">${t("ago", { time: duration(Math.max(0, Date.now() - Date.parse(letter.at))) })}</span></td>
  <td role="cell" class="what">${t(`place.${letter.topic}`)}${letter.process_number && html`<br /><a class="number" href=${to("cases", letter.process_number)}>${letter.process_number}</a>`}<br /><code>${letter.id}</code></td>
  <td role="cell" class="why"><${Reason} code=${letter.error_code} message=${letter.error_message} /></td>
  <td role="cell" class="links"><${Replay} letter=${letter} again=${again} /></td>
</tr>`;

function Replay({ letter, again }) {
  const [asking, setAsking] = useState(false);
  const [answer, setAnswer] = useState(null);
  const outcome = useRef(null);
  // The button is gone by then: the focus goes to what became of it.
  useEffect(() => { if (answer) outcome.current?.focus(); }, [answer]);
  const replay = async () => {
    setAnswer(await call(`dead-letters/${letter.id}/replay`, { method: "POST" }));
    setAsking(false);
    await again();
  };
  const at = answer?.replayed_at ?? letter.replayed_at;
  if (at) return html`<span ref=${outcome} tabindex="-1" role="status" class="muted">${t(answer?.outcome === "already_replayed" ? "already_replayed" : "replayed")} <${Time} at=${at} /></span>`;
  if (!letter.replayable) return html`<span class="muted">${t("not_replayable")}</span>`;
  return html`<button type="button" class="quiet" aria-label=${`${t("redeliver")}: ${letter.id}`} onClick=${() => setAsking(true)}>${t("redeliver")}</button>
    ${asking && html`<${Dialog} title=${t("replay_title")} close=${() => setAsking(false)}>
      <div class="ask-first"><p>${t("replay_more")}</p><p><code>${letter.id}</code> <${Reason} code=${letter.error_code} message=${letter.error_message} /></p>
      <${Doing} kind="main" label=${t("redeliver")} run=${replay} /></div>
    <//>`}`;
}
