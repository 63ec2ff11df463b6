// The tab "Try to break it" of the embedded stack: work, trouble, and the count of what came of it.
// It gets what it needs of the page (kit), and speaks with the stack's control server by the token of the address.

const TEXTS = {
  en: {
    tab: "Try to break it",
    intro: "Everything on this machine is yours to kill. What was accepted is delivered all the same: the count below is taken from the API's answers and from what the receiver got.",
    board: "Asked for from this tab", accepted: "Accepted", delivered: "Delivered", under_way: "On their way", lost: "Lost", refused: "Not accepted",
    work: "1. Ask for cases", ask: "Ask for {count} cases", big: "A case of {count} documents", broken: "A case with broken documents",
    trouble: "2. Trouble the source", usual: "As usual", slow: "Slow: 2 s an answer", limited: "429 to everything", away: "503 to everything",
    receiver: "3. Trouble the receiver", up: "Takes webhooks", down: "Down: 503",
    kill: "4. Kill -9", kill_one: "Kill {name}", running: "runs", stopped: "stopped", dead: "dead, starts again", deaths: "killed {count} ×",
    log: "What was done", nothing: "Nothing yet.", reset: "Count anew",
    not_simulated: "This stack uses a source that is not simulated: it cannot be troubled from here.",
    gone: "The stack's control server does not answer. Is the stack still up?",
    did_ask: "asked for {count} cases", did_big: "asked for a case of {count} documents", did_broken: "asked for a case of which two documents fail and four heal",
    did_source: "source: {what}", did_receiver: "receiver: {what}", did_kill: "kill -9 {name} (pid {pid})", did_not: "not accepted: {why}",
  },
  pt: {
    tab: "Tente derrubar",
    intro: "Tudo nesta máquina pode ser derrubado. O que foi aceito é entregue assim mesmo: a conta abaixo vem das respostas da API e do que o receptor recebeu.",
    board: "Pedidos feitos nesta aba", accepted: "Aceitos", delivered: "Entregues", under_way: "A caminho", lost: "Perdidos", refused: "Não aceitos",
    work: "1. Pedir processos", ask: "Pedir {count} processos", big: "Um processo de {count} documentos", broken: "Um processo com documentos quebrados",
    trouble: "2. Atrapalhar a fonte", usual: "Normal", slow: "Lenta: 2 s por resposta", limited: "429 para tudo", away: "503 para tudo",
    receiver: "3. Atrapalhar o receptor", up: "Recebe webhooks", down: "Fora: 503",
    kill: "4. Kill -9", kill_one: "Derrubar {name}", running: "rodando", stopped: "parado", dead: "morto, recomeça", deaths: "derrubado {count} ×",
    log: "O que foi feito", nothing: "Nada ainda.", reset: "Contar de novo",
    not_simulated: "Esta instalação usa uma fonte que não é simulada: ela não pode ser atrapalhada daqui.",
    gone: "O servidor de controle não responde. A instalação ainda está de pé?",
    did_ask: "pedidos {count} processos", did_big: "pedido um processo de {count} documentos", did_broken: "pedido um processo em que dois documentos falham e quatro se recuperam",
    did_source: "fonte: {what}", did_receiver: "receptor: {what}", did_kill: "kill -9 {name} (pid {pid})", did_not: "não aceito: {why}",
  },
};

const MANY = 10;
const LARGE = 2000;
const EVERY_MS = 1000;
const LOOK_AFTER_MS = 10_000;
const LOOKED_AT_ONCE = 5;
const SOURCE = {
  usual: { latency: 0, outage: null, retry_after: null },
  slow: { latency: 2, outage: null, retry_after: null },
  limited: { latency: 0, outage: "rate_limit", retry_after: 3 },
  away: { latency: 0, outage: "unavailable_503", retry_after: null },
};
// The setting of the simulator that a button makes, or null where another tool has made another one.
const sourceNow = (setting) => Object.keys(SOURCE).find((name) => ["latency", "outage"].every((field) => SOURCE[name][field] === setting[field])
  && !setting.rate_limit && !setting.concurrency_limit && !setting.token_outage) ?? null;
const GIVEN_UP = new Set(["exhausted", "gone", "cancelled"]);

// What was asked for lives as long as the page: a look at another tab does not end the count.
const session = { path: null, receiver: null, asked: new Map(), refused: 0, log: [] };

export function makeTab(kit) {
  const { html, useEffect, useState, language, call, casePath, makeNumber, to } = kit;
  const words = TEXTS[language().startsWith("pt") ? "pt" : "en"];
  const say = (name, values = {}) => words[name].replace(/\{(\w+)\}/g, (whole, field) => values[field] ?? whole);

  const control = async (method, path, body) => {
    const answer = await fetch(new URL(path, kit.url), {
      method, cache: "no-store", credentials: "omit",
      headers: { Authorization: `Bearer ${kit.token}`, "Content-Type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const content = await answer.json();
    if (!answer.ok) throw new Error(content.detail);
    return content;
  };
  const begin = () => { Object.assign(session, { path: `/break/${Date.now().toString(36)}`, asked: new Map(), refused: 0, log: [] }); };
  if (!session.path) begin();
  const note = (text) => { session.log = [{ at: new Date().toISOString(), text }, ...session.log].slice(0, 30); };

  async function ask(receiver, setting) {
    const number = makeNumber();
    if (setting) await control("PUT", `cases/${number}`, setting);
    try {
      await call(casePath(number), { parameters: { documents: false, webhook_url: `${receiver}${session.path}` } });
      session.asked.set(number, { at: Date.now(), delivered: false, lost: false });
    } catch (problem) {
      session.refused += 1;
      note(say("did_not", { why: problem.message }));
    }
  }

  // What the receiver has is delivered. Of the rest, what the API knows no more, or gave up, is lost.
  async function count() {
    for (const webhook of await control("GET", `received?path=${encodeURIComponent(session.path)}`)) {
      const asked = session.asked.get(webhook.process_number);
      if (asked && webhook.verified && webhook.answered < 300) asked.delivered = true;
    }
    const late = [...session.asked].filter(([, asked]) => !asked.delivered && !asked.lost && Date.now() - asked.at > LOOK_AFTER_MS);
    for (const [number, asked] of late.sort((one, other) => (one[1].looked ?? 0) - (other[1].looked ?? 0)).slice(0, LOOKED_AT_ONCE)) {
      asked.looked = Date.now();
      try {
        const { deliveries } = await call("webhooks/deliveries", { parameters: { process_number: number, limit: 1 } });
        if (deliveries[0] && GIVEN_UP.has(deliveries[0].status)) asked.lost = true;
        if (!deliveries[0]) await call(`${casePath(number)}/status`, { parameters: { documents: false } });
      } catch (problem) {
        if (problem.code === "process_unknown") asked.lost = true;
      }
    }
  }

  function useTold() {
    const [told, setTold] = useState(null);
    const [source, setSource] = useState(null);
    const [gone, setGone] = useState(false);
    const [, again] = useState(0);
    useEffect(() => {
      let timer = null, stopped = false;
      const turn = async () => {
        try {
          const found = await control("GET", "processes");
          setTold(found);
          if (found.simulated) setSource(sourceNow(await control("GET", "source")));
          setGone(false);
        } catch {
          setGone(true);
        }
        // Also while the receiver is away for a moment: the next turn counts.
        await count().catch(() => {});
        if (stopped) return;
        again((before) => before + 1);
        timer = setTimeout(turn, EVERY_MS);
      };
      turn();
      return () => { stopped = true; clearTimeout(timer); };
    }, []);
    return { told, source, setSource, gone, again: () => again((before) => before + 1) };
  }

  const Number_ = ({ name, value, kind }) => html`<div class=${kind ?? ""}><dt>${say(name)}</dt><dd>${value}</dd></div>`;

  const Board = () => {
    const all = [...session.asked.values()];
    const delivered = all.filter((asked) => asked.delivered).length, lost = all.filter((asked) => asked.lost).length;
    return html`<div role="status"><dl class="board">
      <${Number_} name="accepted" value=${all.length} /><${Number_} name="delivered" value=${delivered} kind="good" />
      <${Number_} name="under_way" value=${all.length - delivered - lost} /><${Number_} name="lost" value=${lost} kind=${lost ? "bad" : "good"} />
      ${session.refused > 0 && html`<${Number_} name="refused" value=${session.refused} />`}
    </dl></div>`;
  };

  const stateOf = ({ running, stopped }) => (!running ? "dead" : stopped ? "stopped" : "running");

  function Break() {
    const { told, source, setSource, gone, again } = useTold();
    const [busy, setBusy] = useState(false);
    useEffect(() => { document.title = `${say("tab")} – Autos`; }, []);
    const doing = (work) => async () => {
      setBusy(true);
      try { await work(); } catch (error) { note(error.message); }
      setBusy(false);
      again();
    };
    const url = told?.receiver_url, simulated = told?.simulated;
    const many = doing(async () => { note(say("did_ask", { count: MANY })); await Promise.all(Array.from({ length: MANY }, () => ask(url))); });
    const big = doing(async () => { note(say("did_big", { count: LARGE })); await ask(url, { documents: LARGE, size: 2000 }); });
    const broken = doing(async () => {
      note(say("did_broken"));
      await ask(url, { documents: 12, failures: [
        { kind: "no_access_403", document: 1 }, { kind: "not_found_404", document: 4 }, { kind: "short_body", document: 2, times: 1 },
        { kind: "spa_shell", document: 5, times: 1 }, { kind: "error_500", document: 7, times: 1 }, { kind: "reset", document: 9, times: 1 }] });
    });
    const trouble = (name) => doing(async () => { await control("PATCH", "source", SOURCE[name]); setSource(name); note(say("did_source", { what: say(name) })); });
    const answer = (name) => doing(async () => {
      if (name === "up") await control("DELETE", "receiver"); else await control("POST", "receiver", { status: 503, path: "/break/" });
      session.receiver = name;
      note(say("did_receiver", { what: say(name) }));
    });
    const kill = (name) => doing(async () => { const killed = await control("POST", `processes/${name}/kill`); note(say("did_kill", killed)); });
    const choice = (name, chosen, run) => html`<button type="button" class="quiet" aria-pressed=${chosen} disabled=${busy || !told} onClick=${run}>${say(name)}</button>`;
    return html`<h1 class="visually-hidden">${say("tab")}</h1>
      <section class="card"><p class="subject-line">${say("intro")}</p>${gone && html`<p class="note" role="alert">${say("gone")}</p>`}<h2>${say("board")}</h2><${Board} /></section>
      <div class="columns">
        <section class="card"><h2>${say("work")}</h2><div class="actions pad">
          <button type="button" class="main" disabled=${busy || !told} onClick=${many}>${say("ask", { count: MANY })}</button>
          ${simulated && html`<button type="button" class="quiet" disabled=${busy} onClick=${big}>${say("big", { count: LARGE })}</button>
          <button type="button" class="quiet" disabled=${busy} onClick=${broken}>${say("broken")}</button>`}</div></section>
        <section class="card"><h2>${say("trouble")}</h2>${told && !simulated ? html`<p class="empty">${say("not_simulated")}</p>`
          : html`<div class="actions pad" role="group" aria-label=${say("trouble")}>${Object.keys(SOURCE).map((name) => choice(name, source === name, trouble(name)))}</div>`}</section>
        <section class="card"><h2>${say("receiver")}</h2><div class="actions pad" role="group" aria-label=${say("receiver")}>
          ${["up", "down"].map((name) => choice(name, session.receiver === name, answer(name)))}</div></section>
      </div>
      <section class="card"><h2>${say("kill")}</h2>
        <ul class="kills">${(told?.processes ?? []).map((one) => html`<li key=${one.name}>
          <button type="button" class="quiet danger" disabled=${!one.running} aria-label=${say("kill_one", { name: one.name })} onClick=${kill(one.name)}><code>${one.name}</code></button>
          <span class="state is-${stateOf(one) === "running" ? "ok" : "away"}"><i aria-hidden="true"></i>${say(stateOf(one))}</span>
          <span class="muted">${one.deaths ? say("deaths", { count: one.deaths }) : ""}</span></li>`)}</ul></section>
      <div class="columns two">
        <section class="card"><header class="head"><h2>${say("log")}</h2><button type="button" class="quiet small" onClick=${() => { begin(); again(); }}>${say("reset")}</button></header>
          ${session.log.length ? html`<ol class="log">${session.log.map((line) => html`<li><time datetime=${line.at}>${new Date(line.at).toLocaleTimeString()}</time> ${line.text}</li>`)}</ol>`
            : html`<p class="empty">${say("nothing")}</p>`}</section>
        <section class="card"><h2>${say("accepted")}</h2><ul class="log asked">${[...session.asked].slice(-40).reverse().map(([number, asked]) => html`<li key=${number}>
          <a class="number" href=${to("cases", number)}>${number}</a> <span class=${asked.lost ? "bad" : asked.delivered ? "good" : "muted"}>${say(asked.lost ? "lost" : asked.delivered ? "delivered" : "under_way")}</span></li>`)}</ul></section>
      </div>`;
  }
  return { label: words.tab, view: Break };
}
