// Calls of the API with the key. Addresses are relative to the page, so that a path before it (a proxy's) does not matter.

import { key } from "./key.js";

// What went wrong: of a problem document its title and detail, else code "unreachable".
export class Problem extends Error {
  constructor(status, document) {
    super(document.detail || document.title);
    this.status = status;
    this.code = document.code;
    this.title = document.title;
    this.errors = document.errors ?? [];
    this.requestId = document.request_id;
    this.retryAfter = null;
  }
}

const listeners = new Set();
// Told when a key is refused.
export const onRefusal = (listener) => { listeners.add(listener); return () => listeners.delete(listener); };

export function url(path, parameters = {}) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== null && value !== undefined && value !== "") query.set(name, String(value));
  }
  const text = query.toString();
  return new URL(`${path}${text ? `?${text}` : ""}`, document.baseURI).href;
}

export async function call(path, { method = "GET", parameters, body, signal } = {}) {
  const headers = { Accept: "application/json" };
  if (key()) headers.Authorization = `Bearer ${key()}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let answer;
  try {
    answer = await fetch(url(path, parameters), {
      method, headers, signal, cache: "no-store", credentials: "omit",
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, { code: "unreachable", title: String(error.message) });
  }
  if (answer.status === 204) return null;
  const read = await answer.json().catch(() => null);
  if (answer.ok && read !== null) return read;
  const problem = new Problem(answer.status, read?.code ? read : { code: "not_json", title: `HTTP ${answer.status}`, ...read });
  problem.content = read;
  problem.retryAfter = answer.headers.get("Retry-After");
  if (answer.status === 401) listeners.forEach((listener) => listener());
  throw problem;
}

export const casePath = (number) => `processes/${number}`;
