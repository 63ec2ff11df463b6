"""How services declare their Prometheus metrics: name, unit, meaning and labels, and every known series from the start.

Prometheus sees a rise only between two samples of a series: one that begins with its first event shows none, and an
alert on "any rise" would miss it. So a counter whose labels have known values has all of its series with 0 from the
start. docs/reference/metrics.md is made of what is declared here. No label ever holds what a client or a source wrote.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

MOST_SERIES: Final = 500
"""Of one family that are made at the start."""


class MetricKind(StrEnum):
    """The type of a metric as Prometheus spells it."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Label:
    """A label with its ``values``; without them ``bound`` says in words what limits their number.

    ``later``: the values are known, but a process has those alone that it works with (they are made there).
    """

    name: str
    values: tuple[str, ...] = ()
    bound: str = ""
    later: bool = False


@dataclass(frozen=True, slots=True)
class DeclaredMetric:
    """One family: ``name`` as it is scraped (a counter's with ``_total``, a histogram's without a suffix)."""

    name: str
    kind: MetricKind
    unit: str
    meaning: str
    labels: tuple[Label, ...] = ()


class MetricFamilies:
    """Makes the families of one class of metrics in a registry, and remembers what was declared.

    A name that the registry has already raises ValueError.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self.declared: list[DeclaredMetric] = []

    def counter(self, name: str, unit: str, meaning: str, *labels: Label) -> Counter:
        """A counter; ``name`` without ``_total``."""
        made = Counter(name, meaning, [label.name for label in labels], registry=self._registry)
        self._declare(made, f"{name}_total", MetricKind.COUNTER, unit, meaning, labels)
        return made

    def gauge(self, name: str, unit: str, meaning: str, *labels: Label) -> Gauge:
        """A gauge."""
        made = Gauge(name, meaning, [label.name for label in labels], registry=self._registry)
        self._declare(made, name, MetricKind.GAUGE, unit, meaning, labels)
        return made

    def histogram(self, name: str, meaning: str, *labels: Label, buckets: Sequence[float]) -> Histogram:
        """A histogram of seconds; ``name`` ends with ``_seconds``."""
        made = Histogram(name, meaning, [label.name for label in labels], registry=self._registry, buckets=buckets)
        self._declare(made, name, MetricKind.HISTOGRAM, "seconds", meaning, labels)
        return made

    def _declare(
        self,
        made: Counter | Gauge | Histogram,
        name: str,
        kind: MetricKind,
        unit: str,
        meaning: str,
        labels: tuple[Label, ...],
    ) -> None:
        self.declared.append(DeclaredMetric(name, kind, unit, meaning, labels))
        if labels and all(label.values and not label.later for label in labels):
            begin(made, *(label.values for label in labels))


def begin(made: Counter | Gauge | Histogram, *values: Iterable[str]) -> None:
    """Make every series of these values, by label in order, with 0. Raises ValueError for more than MOST_SERIES."""
    series = list(itertools.product(*values))
    if len(series) > MOST_SERIES:
        raise ValueError(f"{len(series)} series at the start are more than {MOST_SERIES}")
    for each in series:
        made.labels(*each)
