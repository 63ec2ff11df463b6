// Small parts that every view uses.

import { html, useEffect, useRef, useState } from "./vendor/htm-preact.js";
import { has, t, time } from "./i18n.js";

// A state by its word and a mark; colour is never the only sign.
// `words` say it where they are given: more closely, or of a state that has no word of its own.
export const State = ({ of, status, words }) => html`<span class="state is-${status}"><i aria-hidden="true"></i>${words ?? t(`${of}.${status}`)}</span>`;

export const Fact = ({ name, children, wide }) => html`<div class=${wide ? "wide" : ""}><dt>${t(name)}</dt><dd>${children}</dd></div>`;

export const Time = ({ at }) => (at ? html`<time datetime=${at}>${time(at)}</time>` : html`<span class="muted">–</span>`);

export const Empty = ({ text }) => html`<p class="empty">${text}</p>`;

export const Loading = () => html`<p class="empty" role="status">${t("loading")}</p>`;

// Why something failed: the code in words where the page has them, and what the service says.
export const Reason = ({ code, message }) => {
  if (!code) return null;
  const [, status] = /^http_(\d+)$/.exec(code) ?? [];
  const words = status ? t("reason.http", { status }) : has(`reason.${code}`) ? t(`reason.${code}`) : message;
  return html`<span class="reason">${words ?? code}${" "}<code>${code}</code></span>`;
};

export const Trouble = ({ problem, again }) => html`<div class="trouble" role="alert">
  <strong>${problem.code === "unreachable" ? t("unreachable") : problem.title}</strong>
  ${problem.code !== "unreachable" && problem.message !== problem.title && html`<span>${problem.message}</span>`}
  ${problem.retryAfter && html`<span>${t("retry_after", { seconds: problem.retryAfter })}</span>`}
  ${problem.requestId && html`<span class="muted">${t("request_id")} <code>${problem.requestId}</code></span>`}
  ${again && html`<button type="button" class="quiet" onClick=${again}>${t("try_again")}</button>`}
</div>`;

// A button that does something that takes a while, and says how it went.
export function Doing({ label, run, kind = "quiet", done, ...rest }) {
  const [state, setState] = useState("idle");
  const [problem, setProblem] = useState(null);
  const start = async () => {
    setState("busy");
    setProblem(null);
    try {
      await run();
      setState("done");
    } catch (error) {
      setProblem(error);
      setState("idle");
    }
  };
  return html`<span class="doing">
    <button type="button" class=${kind} disabled=${state === "busy"} onClick=${start} ...${rest}>${label}</button>
    ${state === "done" && done && html`<span role="status" class="muted">${done}</span>`}
    ${problem && html`<span role="alert" class="bad">${problem.title ?? problem.message}${problem.message && problem.title !== problem.message ? `: ${problem.message}` : ""}</span>`}
  </span>`;
}

// A dialog of the browser: it keeps the focus, and Escape closes it.
export function Dialog({ title, close, children, wide }) {
  const element = useRef(null);
  useEffect(() => { element.current.showModal(); }, []);
  return html`<dialog ref=${element} class=${wide ? "wide" : ""} aria-label=${title} onClose=${close}>
    <header><h2>${title}</h2><button type="button" class="quiet" onClick=${() => element.current.close()}>${t("close")}</button></header>
    ${children}
  </dialog>`;
}

export function Copy({ text, label }) {
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    await navigator.clipboard.writeText(text);
    setCopied(true);
  };
  return html`<button type="button" class="quiet small" onClick=${copy} aria-label=${label}>${copied ? t("copied") : t("copy")}</button>`;
}

// The same call again and again while it is on the screen: [answer, problem, call it now].
export function usePolled(read, everyMs, dependencies = []) {
  const [answer, setAnswer] = useState(null);
  const [problem, setProblem] = useState(null);
  const now = useRef(() => {});
  useEffect(() => {
    let timer = null, stopped = false;
    const turn = async () => {
      clearTimeout(timer);
      try {
        const found = await read();
        if (!stopped) { setAnswer(found); setProblem(null); }
      } catch (error) {
        if (!stopped) setProblem(error);
      }
      if (!stopped && everyMs) timer = setTimeout(turn, everyMs);
    };
    now.current = turn;
    turn();
    return () => { stopped = true; clearTimeout(timer); };
  }, dependencies);
  return [answer, problem, () => now.current()];
}

const Pager = ({ from, to, total, previous, next }) => html`<nav class="pager" aria-label=${t("pages")}>
  <span class="muted" role="status">${total === null || total === undefined ? t("range", { from, to }) : t("range_of", { from, to, total })}</span>
  <button type="button" class="quiet" disabled=${!previous} onClick=${previous}>${t("previous")}</button>
  <button type="button" class="quiet" disabled=${!next} onClick=${next}>${t("next")}</button>
</nav>`;

// A list by state, a page of `size` at a time: what to ask for (cursor, status), the choice of a state, and the pager.
// `named` gives a state's words.
export function useList(size, named, statuses, label = t("state")) {
  const [cursors, setCursors] = useState([null]);
  const [status, setStatus] = useState("");
  const first = (cursors.length - 1) * size;
  const choose = (event) => { setStatus(event.target.value); setCursors([null]); };
  const choice = html`<label class="inline">${label}
    <select value=${status} onChange=${choose}>
      <option value="">${t("all")}</option>
      ${statuses.map((name) => html`<option value=${name}>${named(name)}</option>`)}
    </select></label>`;
  const pager = (page, count, total) => page && (page.next_cursor || first > 0) && html`<${Pager} from=${first + 1} to=${first + count} total=${total}
    previous=${first > 0 && (() => setCursors(cursors.slice(0, -1)))}
    next=${page.next_cursor && (() => setCursors([...cursors, page.next_cursor]))} />`;
  return { cursor: cursors[cursors.length - 1], status, choice, pager };
}
