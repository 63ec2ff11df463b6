// A further tab that the embedded stack's supervisor brings (and nothing else: the address stands in the document).

import { html, useEffect, useRef, useState } from "./vendor/htm-preact.js";
import { to } from "./address.js";
import { call, casePath } from "./api.js";
import { makeNumber } from "./cnj.js";
import { language } from "./i18n.js";
import { controlToken } from "./key.js";

const url = () => document.querySelector('meta[name="autos-extension"]')?.content;

// {label, view}, or null where there is none, or none that answers.
export async function loadExtension() {
  const token = controlToken();
  if (!url() || !token) return null;
  try {
    const { makeTab } = await import(new URL("module.js", url()).href);
    return makeTab({ html, useEffect, useRef, useState, to, call, casePath, makeNumber, language, token, url: url() });
  } catch {
    return null;
  }
}
