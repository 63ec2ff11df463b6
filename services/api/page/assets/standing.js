// Which service is behind, and since when it has had something to do and has done none of it. That is known from one look
// to the next, for as long as the page is open: whoever goes to another view and comes back finds the same time.

// A group is named as its service, or as a part of it, behind the prefix of the installation.
const SERVICES = { downloader: ["planner", "fetcher"], status: ["status"], notifier: ["notifier", "notifier-retry"] };
// Milliseconds: after them a service that is behind is said to stand still.
export const STANDS_MS = 9000;

const isRetry = ({ topic }) => topic.includes(".retry.");
const sum = (lags) => lags.reduce((all, { behind }) => all + behind, 0);
const before = new Map();

function since(name, behind) {
  const known = before.get(name);
  const begun = known && behind >= known.behind ? known.since : Date.now();
  if (behind) before.set(name, { behind, since: begun });
  else before.delete(name);
  return behind ? Date.now() - begun : 0;
}

// Of the lags of GET /system each service: {name, behind, later, stands}; `stands` in milliseconds, 0 where it is not behind.
export function standing(lags) {
  return Object.entries(SERVICES).map(([name, groups]) => {
    const its = lags.filter(({ group }) => groups.includes(group.split(".").pop()));
    const behind = sum(its.filter((lag) => !isRetry(lag)));
    return { name, behind, later: sum(its.filter(isRetry)), stands: since(name, behind) };
  });
}
