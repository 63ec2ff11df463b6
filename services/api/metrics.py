"""The api's Prometheus metrics: every name in one place."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from prometheus_client import CollectorRegistry

from shared.metrics import Label, MetricFamilies

_REQUEST_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_SOURCE_SECONDS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)

METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
OTHER_METHOD: Final = "other"
"""What a client calls its method is up to the client; a label's values are not."""

ANSWERED: Final = "answered"
REFUSED: Final = "refused"
FAILED: Final = "failed"
EVICTED: Final = "evicted"


_SCOPE: Final = Label("scope", ("all", "document"))
_RESULT: Final = Label("result", ("found", "unchanged", "missing", "forbidden", "away"))
_CODES: Final = "the codes of [error-codes.md](error-codes.md#answers-of-the-api)"


def result_of(status: int | None) -> str:
    """``answered`` below 400, ``refused`` below 500, else ``failed``, as an answer that never began (None)."""
    if status is None or status >= 500:
        return FAILED
    return REFUSED if status >= 400 else ANSWERED


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits, as the database has it now: rows of the outbox, and seconds that the oldest of each has waited."""

    outbox_rows: float
    outbox_seconds: float
    job_seconds: float
    document_seconds: float


_UNKNOWN: Final = Backlog(math.nan, math.nan, math.nan, math.nan)


class ApiMetrics:
    """The metrics of one application, in the registry given; ``problems`` are the codes that it may answer.

    A registry takes one of these: a second raises ValueError, since the names are taken.
    """

    def __init__(self, registry: CollectorRegistry, problems: Sequence[str] = ()) -> None:
        self.registry = registry
        self.families = families = MetricFamilies(registry)
        self.request_seconds = families.histogram(
            "autos_api_request_seconds",
            "From the request to the end of the answer (streams: to the headers), what it waited for included",
            Label("method", (*METHODS, OTHER_METHOD), later=True),
            Label("route", bound="the templates of the routes, and `unmatched`"),
            Label("status", bound="the statuses of HTTP that the api answers, and `none` for an answer that broke off"),
            buckets=_REQUEST_SECONDS,
        )
        self.answer_seconds = families.histogram(
            "autos_api_answer_seconds",
            "As autos_api_request_seconds, without the time that a request waited for a change (wait=), for the source"
            " or for a receiver: what is the api's own",
            Label("result", (ANSWERED, REFUSED, FAILED)),
            buckets=_REQUEST_SECONDS,
        )
        self.problems = families.counter(
            "autos_api_problems",
            "answers",
            "Answers that were a problem document, by its code; internal_error is a fault of ours",
            Label("code", tuple(problems), bound=_CODES),
        )
        self.in_flight = families.gauge(
            "autos_api_requests_in_flight", "requests", "Requests being answered now, waiting ones included"
        )
        self.refused = families.counter(
            "autos_api_refused_connections",
            "connections",
            "Connections ended before their request reached the application, by the problem's code; evicted: for a"
            " new one",
            Label("code", (*problems, EVICTED), bound=f"{_CODES}, and `{EVICTED}`"),
        )
        self._declare_work(families)
        self._declare_backlog(families)

    def _declare_work(self, families: MetricFamilies) -> None:
        """What requests lead to: jobs, and readings of the source. In seconds where it is a time."""
        self.jobs_started = families.counter(
            "autos_api_jobs_started", "jobs", "Jobs accepted: of a whole case, or of one document", _SCOPE
        )
        self.source_reads = families.counter(
            "autos_api_source_reads", "readings", "Cases read at the source while a client waits", _RESULT
        )
        self.source_seconds = families.histogram(
            "autos_api_source_seconds",
            "A reading of a case at the source while a client waits",
            buckets=_SOURCE_SECONDS,
        )

    def _declare_backlog(self, families: MetricFamilies) -> None:
        """What :meth:`show` sets, each time that the metrics are asked for."""
        self.outbox_backlog = families.gauge(
            "autos_api_outbox_backlog", "events", "Events of the api's outbox that are not published, looked up now"
        )
        self.outbox_lag = families.gauge(
            "autos_api_outbox_lag_seconds", "seconds", "Age of the oldest of them, 0 without one"
        )
        self.oldest_job = families.gauge(
            "autos_api_oldest_unfinished_job_seconds",
            "seconds",
            "Since the oldest job that has not ended was accepted, 0 without one, looked up now",
        )
        self.oldest_document = families.gauge(
            "autos_api_oldest_unfinished_document_seconds",
            "seconds",
            "Since the documents of the oldest job that still waits for some of them were asked for, 0 without one,"
            " looked up now",
        )

    def show(self, backlog: Backlog | None) -> None:
        """Set what is looked up; None: the database is away, nothing is known (NaN)."""
        found = backlog or _UNKNOWN
        self.outbox_backlog.set(found.outbox_rows)
        self.outbox_lag.set(found.outbox_seconds)
        self.oldest_job.set(found.job_seconds)
        self.oldest_document.set(found.document_seconds)
