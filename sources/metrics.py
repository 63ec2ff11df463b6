"""What the sources answered, counted by source, verdict and code; each name is written once, here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from prometheus_client import CollectorRegistry

from shared.metrics import Label, MetricFamilies, begin
from sources.base import RequestEnded
from sources.errors import SourceError, Verdict

ANSWERED: Final = "answered"
"""Verdict and code of a request that was answered as it should be."""


def coded_errors() -> Iterator[type[SourceError]]:
    """Every error of the source that is loaded and has a code."""
    left = [SourceError]
    while left:
        error = left.pop()
        left += error.__subclasses__()
        if error.__module__.partition(".")[0] in ("sources", "services") and isinstance(
            getattr(error, "CODE", None), str
        ):
            yield error


def codes(*verdicts: Verdict) -> tuple[str, ...]:
    """The codes of the errors with one of these verdicts."""
    return tuple(sorted({str(getattr(error, "CODE")) for error in coded_errors() if error.verdict in verdicts}))  # noqa: B009


class SourceMetrics:
    """The answers of the sources that a process reads from."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.families = families = MetricFamilies(registry)
        self._answers = families.counter(
            "autos_source_answers",
            "requests",
            "Requests at a source by what its answer means: answered, permanent, retry, source_away; and by error code",
            Label("source", bound="the names of AUTOS_SOURCES, and `pdpj`"),
            Label("verdict", (ANSWERED, *(verdict.value for verdict in Verdict)), later=True),
            Label("code", (ANSWERED, *codes(*Verdict)), later=True),
        )

    def begin(self, source: str) -> None:
        """Every series of a source, with 0."""
        begin(self._answers, [source], [ANSWERED], [ANSWERED])
        for verdict in Verdict:
            begin(self._answers, [source], [verdict.value], codes(verdict))

    def count(self, source: str, error: SourceError | None) -> None:
        """A request ended at this source, and so."""
        if error is None:
            self._answers.labels(source, ANSWERED, ANSWERED).inc()
        else:
            self._answers.labels(source, error.verdict.value, error.code).inc()

    def counting(self, source_of: Callable[[str], str], then: RequestEnded | None = None) -> RequestEnded:
        """Counts each request's end for the source of its case, and tells ``then``."""

        def ended(case: str, error: SourceError | None, seconds: float) -> None:
            self.count(source_of(case), error)
            if then is not None:
                then(case, error, seconds)

        return ended
