// Follows a case live: a token of POST /tokens/stream, then its event stream, for as long as its job runs.

import { call, casePath, url } from "./api.js";

const GATHER_MS = 120;
const RETRY_MS = [1000, 2000, 5000, 10_000];

// handlers: {documents(list), progress(job), completed(job), live(boolean)}. Answers what ends it.
export function follow(number, handlers) {
  let source = null, timer = null, gatherer = null, stopped = false, failures = 0;
  const gathered = new Map();

  const again = () => {
    handlers.live(false);
    source?.close();
    if (stopped) return;
    timer = setTimeout(open, RETRY_MS[Math.min(failures, RETRY_MS.length - 1)]);
    failures += 1;
  };

  // A large case tells of thousands of documents at once: they are shown together, a few times a second.
  const flush = () => {
    gatherer = null;
    const list = [...gathered.values()];
    gathered.clear();
    if (list.length && !stopped) handlers.documents(list);
  };

  async function open() {
    let token;
    try {
      ({ token } = await call("tokens/stream", { method: "POST", body: { process_number: number } }));
    } catch {
      again();
      return;
    }
    if (stopped) return;
    source = new EventSource(url(`${casePath(number)}/events`, { token }));
    source.onopen = () => { failures = 0; handlers.live(true); };
    // While the token works the browser opens the stream again by itself, and says what it had last.
    source.onerror = () => { if (source.readyState === EventSource.CLOSED) again(); else handlers.live(false); };
    source.addEventListener("document", (event) => {
      const document = JSON.parse(event.data);
      gathered.set(document.id, document);
      gatherer ??= setTimeout(flush, GATHER_MS);
    });
    source.addEventListener("progress", (event) => handlers.progress(JSON.parse(event.data)));
    source.addEventListener("completed", (event) => {
      source.close();
      flush();
      handlers.completed(JSON.parse(event.data));
    });
  }

  open();
  return () => {
    stopped = true;
    clearTimeout(timer);
    clearTimeout(gatherer);
    source?.close();
  };
}
