// Shows a document from the object store, in a frame that can do nothing but show.

import { html, useEffect, useState } from "../vendor/htm-preact.js";
import { call, casePath } from "../api.js";
import { t } from "../i18n.js";
import { Dialog, Loading, Trouble } from "../ui.js";

const PICTURES = /^image\/(gif|jpeg|png|webp)$/;
const SHOWN = /^(application\/pdf|text\/html|text\/plain|image\/(gif|jpeg|png|webp))\b/;

export const canPreview = (document) => document.status === "available" && SHOWN.test(document.content_type ?? "");

export function Preview({ number, document, close }) {
  const [link, setLink] = useState(null);
  const [problem, setProblem] = useState(null);
  useEffect(() => {
    call(`${casePath(number)}/documents/${document.id}/preview`).then(setLink, setProblem);
  }, [number, document.id]);
  return html`<${Dialog} title=${document.name} close=${close} wide>
    ${problem && html`<${Trouble} problem=${problem} />`}
    ${!link && !problem && html`<${Loading} />`}
    ${link && html`<${Content} link=${link} name=${document.name} />`}
  <//>`;
}

function Content({ link, name }) {
  if (PICTURES.test(link.content_type)) return html`<div class="picture"><img src=${link.url} alt=${name} referrerpolicy="no-referrer" /></div>`;
  const title = t("preview_of", { name });
  // Browsers show no PDF in a frame with a sandbox. Theirs are of another origin than the page, and their viewer has its own.
  if (link.content_type === "application/pdf") return html`<iframe src=${`${link.url}#navpanes=0&view=FitH`} title=${title} referrerpolicy="no-referrer"></iframe>`;
  return html`<iframe sandbox="" src=${link.url} title=${title} referrerpolicy="no-referrer"></iframe>`;
}
