// One delivery: every request that was made, with what was sent and answered, and the way to send it again.

import { html } from "../vendor/htm-preact.js";
import { call } from "../api.js";
import { duration, t } from "../i18n.js";
import { Copy, Doing, Fact, Reason, State, Time } from "../ui.js";

const PHASES = ["dns", "connect", "tls", "first_byte"];

export function Attempts({ delivery, again }) {
  const redeliver = async () => {
    await call(`webhooks/deliveries/${delivery.id}/redeliver`, { method: "POST" });
    await again();
  };
  return html`<div>
    <dl class="facts">
      <${Fact} name="delivery_id" wide><code>${delivery.id}</code> <${Copy} text=${delivery.id} label=${t("copy_id")} /><//>
      <${Fact} name="delivered_at"><${Time} at=${delivery.delivered_at} /><//>
      <${Fact} name="next_attempt"><${Time} at=${delivery.next_attempt_at} /><//>
    </dl>
    <${Doing} label=${t("redeliver")} run=${redeliver} done=${t("redelivered")} />
    ${delivery.attempts.length === 0 && html`<p class="muted">${t("no_attempts")}</p>`}
    <ol class="attempts">${[...delivery.attempts].reverse().map((attempt) => html`<${Attempt} key=${attempt.attempt} attempt=${attempt} />`)}</ol>
  </div>`;
}

function Attempt({ attempt }) {
  const phases = PHASES.filter((name) => attempt[`${name}_ms`] !== null && attempt[`${name}_ms`] !== undefined);
  return html`<li>
    <p class="attempt-line"><strong>${t("attempt", { number: attempt.attempt })}</strong>
      <${State} status=${attempt.succeeded ? "succeeded" : "failed"} words=${attempt.status_code ? `HTTP ${attempt.status_code}` : t("no_answer")} />
      <${Time} at=${attempt.started_at} />
      <span class="muted">${duration(attempt.duration_ms)}${phases.length > 0 && ` (${phases.map((name) => `${t(`phase.${name}`)} ${duration(attempt[`${name}_ms`])}`).join(", ")})`}</span>
      ${attempt.address && html`<span class="muted">${t("dialled")} <code>${attempt.address}</code></span>`}</p>
    <${Reason} code=${attempt.error_code} message=${attempt.error_message} />
    ${attempt.request_headers && html`<details><summary>${t("request_headers")}</summary>
      <pre tabindex="0">${Object.entries(attempt.request_headers).map(([name, value]) => `${name}: ${value}`).join("\n")}</pre></details>`}
    ${attempt.response_excerpt && html`<details><summary>${t("answer")}</summary><pre tabindex="0">${attempt.response_excerpt}</pre></details>`}
  </li>`;
}
