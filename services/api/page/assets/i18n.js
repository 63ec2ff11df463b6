// Texts in the browser's language (Portuguese, else English), and how it writes numbers and times.

let texts = {};
let locale = "en";

export async function loadTexts() {
  const wanted = (navigator.languages ?? [navigator.language]).find((tag) => /^(pt|en)\b/i.test(tag)) ?? "en";
  const portuguese = /^pt/i.test(wanted);
  locale = portuguese ? "pt-BR" : wanted;
  const answer = await fetch(new URL(`./texts/${portuguese ? "pt" : "en"}.json`, import.meta.url));
  texts = await answer.json();
  document.documentElement.lang = portuguese ? "pt-BR" : "en";
}

export const language = () => document.documentElement.lang;

// The text of this name with {values} in it; of {count} the form for one where there is one (name.one).
export function t(name, values = {}) {
  const one = values.count === 1 ? texts[`${name}.one`] : undefined;
  const text = one ?? texts[name] ?? name;
  return text.replace(/\{(\w+)\}/g, (whole, field) => {
    const value = values[field];
    return value === undefined ? whole : typeof value === "number" ? number(value) : value;
  });
}

export const has = (name) => name in texts;

export const number = (value) => new Intl.NumberFormat(locale).format(value);

export function bytes(size) {
  if (size === null || size === undefined) return "";
  const units = ["byte", "kilobyte", "megabyte", "gigabyte"];
  let at = 0, value = size;
  while (value >= 1000 && at < units.length - 1) { value /= 1000; at += 1; }
  return new Intl.NumberFormat(locale, { style: "unit", unit: units[at], unitDisplay: "short", maximumFractionDigits: value < 10 && at ? 1 : 0 }).format(value);
}

export const date = (text) => text ? new Intl.DateTimeFormat(locale, { dateStyle: "short" }).format(new Date(text)) : "";

export const time = (text) => text
  ? new Intl.DateTimeFormat(locale, { year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit" }).format(new Date(text))
  : "";

// The time of the day alone where it is today's.
export const clock = (text) => new Date(text).toDateString() === new Date().toDateString()
  ? new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit" }).format(new Date(text)) : time(text);

// Milliseconds as people say them: 240 ms, 1.2 s, 3 min 20 s, 2 h 5 min.
export function duration(ms) {
  const one = (value, digits = 0) => new Intl.NumberFormat(locale, { maximumFractionDigits: digits }).format(value);
  if (ms < 1000) return `${one(Math.round(ms))} ms`;
  if (ms < 60_000) return `${one(ms / 1000, ms < 10_000 ? 2 : 1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 3600) return `${one(Math.floor(seconds / 60))} min ${one(seconds % 60)} s`;
  return `${one(Math.floor(seconds / 3600))} h ${one(Math.floor((seconds % 3600) / 60))} min`;
}

export const money = (value) => new Intl.NumberFormat(locale, { style: "currency", currency: "BRL" }).format(value);
