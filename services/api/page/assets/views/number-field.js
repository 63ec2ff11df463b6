// A field for a case number that says as one types what it is: short, wrong, or whose case it is.

import { html } from "../vendor/htm-preact.js";
import { digitsOf, examine, masked } from "../cnj.js";
import { t } from "../i18n.js";

export function NumberField({ value, change, problem }) {
  const found = examine(value);
  const typed = (event) => {
    const field = event.target;
    const digitsBefore = digitsOf(field.value.slice(0, field.selectionStart)).length;
    const shown = masked(field.value);
    field.value = shown;
    // The caret stays behind the digit that was typed.
    let at = 0;
    for (let seen = 0; at < shown.length && seen < digitsBefore; at += 1) if (/\d/.test(shown[at])) seen += 1;
    field.setSelectionRange(at, at);
    change(shown);
  };
  const bad = found.state === "wrong" || found.state === "court" || Boolean(problem);
  return html`<div class="field number-field">
    <label for="number">${t("case_number")}</label>
    <input id="number" value=${value} onInput=${typed} inputmode="numeric" autocomplete="off" spellcheck=${false}
      placeholder="0000000-00.0000.0.00.0000" aria-describedby="number-says" aria-invalid=${bad} maxlength="40" />
    <p id="number-says" class=${bad ? "bad" : found.state === "valid" ? "good" : "muted"} aria-live="polite">${problem ?? says(found)}</p>
  </div>`;
}

function says(found) {
  switch (found.state) {
    case "empty": return t("number.empty");
    case "short": return t("number.short", { count: found.missing });
    case "wrong": return t("number.wrong", { expected: found.expected });
    case "court": return t("number.court");
    default: return t("number.valid", { court: found.court, year: found.year });
  }
}
