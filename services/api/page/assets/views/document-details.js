// What is known of one document, and what can be done about it.

import { html } from "../vendor/htm-preact.js";
import { duration, has, number as count, t } from "../i18n.js";
import { Copy, Doing, Fact, Time } from "../ui.js";

export function Details({ document, state }) {
  const took = document.download_started_at && document.download_completed_at
    ? Date.parse(document.download_completed_at) - Date.parse(document.download_started_at) : null;
  const another = document.status === "failed" || document.status === "available" || document.status === "pending";
  return html`<div>
    ${document.status === "failed" && document.error_message && html`<p class="muted">${t("source_said", { text: document.error_message })}</p>`}
    ${document.warnings.length > 0 && html`<ul class="warnings">${document.warnings.map((code) => html`<li>${has(`warning.${code}`) ? t(`warning.${code}`) : code}</li>`)}</ul>`}
    <dl class="facts">
      <${Fact} name="court">${[document.court, document.degree, document.instance].filter(Boolean).join(" · ") || "–"}<//>
      <${Fact} name="attempts">${count(document.attempts)}<//>
      <${Fact} name="download_started"><${Time} at=${document.download_started_at} /><//>
      <${Fact} name="download_took">${took === null ? "–" : duration(took)}<//>
      <${Fact} name="content_type">${document.content_type ?? "–"}<//>
      ${document.pages !== null && html`<${Fact} name="page_count">${count(document.pages)}<//>`}
      ${document.replaced_at && html`<${Fact} name="replaced_at"><${Time} at=${document.replaced_at} /><//>`}
      <${Fact} name="document_id" wide><code>${document.id}</code> <${Copy} text=${document.id} label=${t("copy_id")} /><//>
      ${document.source_id && document.source_id !== document.id && html`<${Fact} name="source_id" wide><code>${document.source_id}</code><//>`}
      ${document.sha256 && html`<${Fact} name="sha256" wide><code class="break">${document.sha256}</code> <${Copy} text=${document.sha256} label=${t("copy_sha256")} /><//>`}
    </dl>
    ${another && html`<${Doing} label=${document.status === "pending" ? t("download_this") : t("download_again")} done=${t("asked_for")}
      run=${() => state.act(`download-document/${document.id}`)} />`}
  </div>`;
}
