// Begins: the key out of the address before anything else, then the texts, then the page.

import { html, render } from "./vendor/htm-preact.js";
import { App } from "./app.js";
import { loadTexts } from "./i18n.js";
import { takeFromAddress } from "./key.js";

takeFromAddress();
await loadTexts();
render(html`<${App} />`, document.getElementById("app"));
