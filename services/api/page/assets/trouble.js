// Why a case that is under way waits, as far as the key may know: the source, or the service whose work is what is shown.

import { call } from "./api.js";
import { key } from "./key.js";
import { STANDS_MS, standing } from "./standing.js";

// The key that may not ask how the services do, so that it is not refused again and again.
let refused = null;

async function statusService() {
  if (refused === key()) return null;
  try {
    const { lags } = await call("system");
    return lags && standing(lags).find(({ name }) => name === "status");
  } catch (problem) {
    if (problem.status === 403) refused = key();
    return null;
  }
}

// {source, behind}: the source that is away or limited, or null; and how many records the service status stands behind, or 0.
export async function readTrouble() {
  const [{ sources }, status] = await Promise.all([call("source/status"), statusService()]);
  const source = sources.find(({ state }) => state === "away") ?? sources.find(({ state }) => state === "limited") ?? null;
  return { source, behind: status && status.stands >= STANDS_MS ? status.behind : 0 };
}
