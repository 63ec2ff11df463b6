// What the page knows of one case: its view, its job as it goes on, and the documents that are on the screen.

import { useCallback, useEffect, useRef, useState } from "./vendor/htm-preact.js";
import { call, casePath } from "./api.js";
import { follow } from "./follow.js";

const RUNNING = new Set(["pending", "processing"]);
export const isRunning = (job) => Boolean(job) && RUNNING.has(job.status);

const brought = new Map();
// The answer of a request that was just made, so that its page does not ask again.
export const bring = (view) => brought.set(view.process_number, view);

export function useCase(number) {
  const [view, setView] = useState(null);
  const [problem, setProblem] = useState(null);
  const [job, setJob] = useState(null);
  const [live, setLive] = useState(false);
  const [revision, setRevision] = useState(0);
  const [changed, setChanged] = useState(0);
  const latest = useRef(new Map());
  const shown = useRef(new Set());

  const take = useCallback((found) => {
    setView(found);
    setJob(found.job);
    setProblem(null);
  }, []);

  const load = useCallback(async () => {
    try {
      take(await call(casePath(number), { parameters: { auto_download: false, documents: false } }));
      latest.current.clear();
      setRevision((before) => before + 1);
    } catch (error) {
      setProblem(error);
    }
  }, [number]);

  useEffect(() => {
    latest.current.clear();
    const given = brought.get(number);
    brought.delete(number);
    if (given) take(given);
    else load();
  }, [number]);

  const running = isRunning(job);
  const jobId = job?.job_id;
  useEffect(() => {
    if (!running) return undefined;
    return follow(number, {
      live: setLive,
      progress: (told) => setJob((before) => ({ ...before, ...told })),
      documents: (list) => {
        for (const document of list) if (shown.current.has(document.id)) latest.current.set(document.id, document);
        setChanged((before) => before + 1);
      },
      completed: (told) => { setJob((before) => ({ ...before, ...told })); setLive(false); load(); },
    });
  }, [number, jobId, running]);

  const act = useCallback(async (path, parameters = {}) => {
    const found = await call(`${casePath(number)}/${path}`, { method: "POST", parameters: { documents: false, ...parameters } });
    take(found);
    setRevision((before) => before + 1);
  }, [number]);

  // Asks for the case anew, as a client's request does.
  const ask = useCallback(async (parameters) => {
    take(await call(casePath(number), { parameters: { documents: false, ...parameters } }));
    setRevision((before) => before + 1);
  }, [number]);

  return { number, view, problem, job, live, running, revision, changed, latest: latest.current, shown: shown.current, load, act, ask };
}
