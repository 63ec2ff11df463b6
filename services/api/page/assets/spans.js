// The path of a case as spans of time, from what is stored; pure.

const at = (text) => (text ? Date.parse(text) : null);

// Each span: {kind, name?, from, to, status?, count?}. Times are milliseconds; a moment has to === from.
export function spansOf({ view, job, documents, deliveries }, most) {
  if (!job) return [];
  const began = at(job.created_at), spans = [];
  const read = at(view.fetched_at);
  if (read !== null && read >= began - 60_000) spans.push({ kind: "read", from: read, to: read });
  spans.push({ kind: "accepted", from: began, to: began });
  if (job.started_at) spans.push({ kind: "queued", from: began, to: at(job.started_at) });
  const loaded = documents
    .map((document) => ({ kind: "document", name: document.name, from: at(document.download_started_at), to: at(document.download_completed_at), status: document.status }))
    .filter((span) => span.from !== null && span.from >= began && (span.to === null || span.to >= span.from))
    .sort((one, other) => one.from - other.from);
  spans.push(...loaded.slice(0, most));
  const rest = loaded.slice(most);
  if (rest.length) {
    spans.push({ kind: "documents", count: rest.length, from: Math.min(...rest.map((span) => span.from)), to: Math.max(...rest.map((span) => span.to ?? span.from)) });
  }
  if (job.completed_at) spans.push({ kind: "ended", from: at(job.completed_at), to: at(job.completed_at), status: job.status });
  for (const delivery of deliveries) {
    if (delivery.job_id !== job.job_id) continue;
    let before = at(delivery.created_at);
    for (const attempt of delivery.attempts) {
      const from = at(attempt.started_at);
      if (from - before > 1) spans.push({ kind: "waited", from: before, to: from });
      before = from + attempt.duration_ms;
      spans.push({ kind: "attempt", name: delivery.url, count: attempt.attempt, from, to: before, status: attempt.succeeded ? "delivered" : "failed", code: attempt.status_code });
    }
  }
  return spans.map((span) => ({ ...span, running: span.to === null, to: span.to ?? span.from }));
}

const GAP_SHARE = 0.05;

// Where a moment is drawn, from 0 to 1. Long times in which nothing happens are drawn short, as gaps.
export function scaleOf(spans) {
  const busy = spans.filter((span) => span.kind !== "waited").map(({ from, to }) => [from, to]).sort((one, other) => one[0] - other[0]);
  const pieces = [];
  for (const [from, to] of busy) {
    const last = pieces[pieces.length - 1];
    if (last && from <= last[1]) last[1] = Math.max(last[1], to);
    else pieces.push([from, to]);
  }
  const first = pieces[0]?.[0] ?? 0, end = pieces[pieces.length - 1]?.[1] ?? 0;
  const active = pieces.reduce((sum, [from, to]) => sum + to - from, 0);
  const longest = Math.max(2000, active);
  const parts = [];
  let gaps = [];
  pieces.forEach(([from, to], index) => {
    const before = pieces[index - 1]?.[1];
    if (before !== undefined) {
      const gap = from - before > longest;
      parts.push({ from: before, to: from, gap });
      if (gap) gaps.push({ from: before, to: from });
    }
    parts.push({ from, to, gap: false });
  });
  const drawn = parts.filter((part) => !part.gap).reduce((sum, part) => sum + part.to - part.from, 0) || 1;
  const share = Math.min(GAP_SHARE, 0.5 / Math.max(1, gaps.length));
  const room = 1 - share * gaps.length;
  let place = 0;
  for (const part of parts) {
    part.at = place;
    part.width = part.gap ? share : ((part.to - part.from) / drawn) * room;
    place += part.width;
  }
  const of = (moment) => {
    const part = parts.find((one) => moment <= one.to) ?? parts[parts.length - 1];
    if (!part) return 0;
    const length = part.to - part.from;
    return part.at + (length ? ((Math.max(moment, part.from) - part.from) / length) * part.width : 0);
  };
  gaps = gaps.map((gap) => ({ ...gap, at: of(gap.from), width: of(gap.to) - of(gap.from) }));
  return { of, first, end, gaps };
}
