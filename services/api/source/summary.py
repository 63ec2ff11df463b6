"""Sums the requests of an hour or a court up: how many succeeded, which failures, how long they took. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from shared.domain.latency import quantile
from shared.domain.source_state import SUCCEEDED
from sources.errors import SourceThrottled, SourceUnavailable


class RequestSummary:
    """Collects counts by outcome and bucket (shared/db/source.py, ``request_hours``)."""

    def __init__(self) -> None:
        self._outcomes: dict[str, int] = {}
        self._buckets: dict[int, int] = {}

    def add(self, outcome: str, bucket: int, requests: int) -> None:
        """So many more requests. A ``bucket`` below 0 has no time: its requests count, but not in the latencies."""
        self._outcomes[outcome] = self._outcomes.get(outcome, 0) + requests
        if bucket >= 0:
            self._buckets[bucket] = self._buckets.get(bucket, 0) + requests

    def view(self) -> dict[str, Any]:
        """The fields of RequestsView."""
        failures = {code: count for code, count in sorted(self._outcomes.items()) if code != SUCCEEDED}
        return {
            "requests": sum(self._outcomes.values()),
            "succeeded": self._outcomes.get(SUCCEEDED, 0),
            "throttled": failures.get(SourceThrottled.CODE, 0),
            "unavailable": failures.get(SourceUnavailable.CODE, 0),
            "failures": failures,
            "latency_p50_ms": _milliseconds(quantile(self._buckets, 0.5)),
            "latency_p95_ms": _milliseconds(quantile(self._buckets, 0.95)),
        }


def summarised(rows: Iterable[Any], of: str) -> dict[str, dict[Any, RequestSummary]]:
    """The rows' counts by source, and there by the column ``of``."""
    found: dict[str, dict[Any, RequestSummary]] = {}
    for row in rows:
        summary = found.setdefault(row.source, {}).setdefault(getattr(row, of), RequestSummary())
        summary.add(row.outcome, row.bucket, row.requests)
    return found


def _milliseconds(seconds: float | None) -> int | None:
    return None if seconds is None else round(1000 * seconds)
