"""docs/reference/metrics.md from what the services declare (shared/metrics.py). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from prometheus_client import CollectorRegistry

import services.api.app
import services.downloader.worker  # noqa: F401 - so that every code of an error is known
from services.api.http.problem_codes import problem_codes
from services.api.metrics import ApiMetrics
from services.downloader.metrics import DownloaderMetrics
from services.notifier.metrics import NotifierMetrics
from services.status.metrics import StatusMetrics
from shared.kafka.metrics import KafkaMetrics
from shared.metrics import DeclaredMetric, Label, MetricFamilies, MetricKind
from shared.outbox.metrics import OutboxMetrics
from shared.service import ProcessMetrics
from sources.metrics import SourceMetrics
from tools.reference.markdown import table

_INTRODUCTION: Final = """\
# Metrics

Made by `python -m tools.reference` from what the services declare; `make check` refuses a difference.

Every service answers `/metrics` on AUTOS_METRICS_PORT, the api on its own port too, as Prometheus text and without a
key. AUTOS_METRICS_HOST (127.0.0.1) says which address that port listens on; [operations.md](../operations.md#health)
says who may reach it. The usual metrics of a process (`process_*`, `python_*`) are there besides.

A counter whose labels have known values has every one of its series, with 0, from the start, so that an alert on any
rise sees the first one. A histogram has `_bucket`, `_count` and `_sum`. No label holds a case, a client, an address, a
name, or anything else that a client or a source wrote: what is counted here is nobody's data.

[deploy/monitoring](../../deploy/monitoring) has alerts, service level objectives and dashboards made of these metrics,
and [runbooks.md](../runbooks.md) what to do about each alert.
"""
_ORDER: Final = ("api", "downloader", "status", "notifier")


def families() -> Mapping[str, list[DeclaredMetric]]:
    """What each service declares, by the service."""
    return {
        "api": _declared(ApiMetrics(CollectorRegistry(), problem_codes()).families, _outbox(), _source(), _process()),
        "downloader": _declared(DownloaderMetrics(CollectorRegistry()).families, _kafka(), _source(), _process()),
        "status": _declared(StatusMetrics(CollectorRegistry()).families, _outbox(), _process()),
        "notifier": _declared(NotifierMetrics(CollectorRegistry()).families, _kafka(), _outbox(), _process()),
    }


def _outbox() -> MetricFamilies:
    return OutboxMetrics("catalog", CollectorRegistry()).families


def _source() -> MetricFamilies:
    return SourceMetrics(CollectorRegistry()).families


def _kafka() -> MetricFamilies:
    return KafkaMetrics(CollectorRegistry()).families


def _process() -> MetricFamilies:
    return ProcessMetrics(CollectorRegistry()).families


def _declared(*made: MetricFamilies) -> list[DeclaredMetric]:
    return [metric for each in made for metric in each.declared]


def by_metric(declared: Mapping[str, Iterable[DeclaredMetric]]) -> dict[str, tuple[DeclaredMetric, list[str]]]:
    """Each metric with the services that have it, by name."""
    found: dict[str, tuple[DeclaredMetric, list[str]]] = {}
    for service, metrics in declared.items():
        for metric in metrics:
            found.setdefault(metric.name, (metric, []))[1].append(service)
    return dict(sorted(found.items()))


def series(metric: DeclaredMetric) -> list[str]:
    """The names that the metric is scraped under."""
    if metric.kind is MetricKind.HISTOGRAM:
        return [f"{metric.name}{suffix}" for suffix in ("_bucket", "_count", "_sum")]
    return [metric.name]


def _label(label: Label) -> str:
    if label.bound:
        return f"`{label.name}`: {label.bound}"
    return f"`{label.name}`: {', '.join(f'`{value}`' for value in label.values)}"


def _rows(metrics: Iterable[tuple[DeclaredMetric, list[str]]]) -> Iterator[list[str]]:
    for metric, _ in metrics:
        yield [
            f"`{metric.name}`",
            metric.kind.value,
            metric.unit,
            "; ".join(map(_label, metric.labels)),
            f"{metric.meaning}.",
        ]


def page() -> str:
    """The whole page."""
    found = by_metric(families())
    sections: dict[tuple[str, ...], list[tuple[DeclaredMetric, list[str]]]] = {}
    for metric, services_of in found.values():
        sections.setdefault(tuple(services_of), []).append((metric, services_of))
    parts = [_INTRODUCTION]
    for names in sorted(sections, key=lambda one: (-len(one), [_ORDER.index(name) for name in one])):
        title = "Every service" if len(names) == len(_ORDER) else ", ".join(names)
        parts.append(f"## {title[0].upper()}{title[1:]}\n")
        parts.append(table(("Metric", "Type", "Unit", "Labels", "Meaning"), _rows(sections[names])))
    return "\n".join(parts)
