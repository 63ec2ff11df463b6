"""Grafana's dashboards from the list of metrics: every metric is a panel of one of them. Pure.

Counters are shown as rates, histograms as quantiles, gauges as they are; all as the worst or the sum of the replicas.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from shared.metrics import DeclaredMetric, MetricKind
from tools.monitoring.slos import BURN_RATES, OBJECTIVES, record_name
from tools.reference.metrics import by_metric, families

SCHEMA_VERSION: Final = 38
"""Of Grafana 10; newer ones migrate it when they load it."""
_COLUMNS: Final = 24
_WIDTH, _HEIGHT = 8, 7
_SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
_QUANTILES: Final = (0.5, 0.95, 0.99)
_UNITS: Final = {"seconds": "s", "bytes": "bytes"}


@dataclass(frozen=True, slots=True)
class Dashboard:
    """``prefixes``: what the names of its metrics begin with, the longest that fits of all dashboards."""

    name: str
    title: str
    prefixes: tuple[str, ...]
    objectives: tuple[str, ...]


DASHBOARDS: Final = (
    Dashboard("services", "Autos: services", ("autos_",), ("jobs", "answers")),
    Dashboard("source", "Autos: source", ("autos_source_", "autos_downloader_", "autos_api_source_"), ("jobs",)),
    Dashboard("webhooks", "Autos: webhooks", ("autos_webhook_",), ("webhooks",)),
)


_LINK: Final = {
    "type": "dashboards",
    "title": "Autos",
    "tags": ["autos"],
    "icon": "external link",
    "tooltip": "",
    "asDropdown": True,
    "includeVars": True,
    "keepTime": True,
    "targetBlank": False,
}


def dashboard_of(metric: str) -> Dashboard:
    """The dashboard that shows the metric."""
    fitting = [(len(prefix), each) for each in DASHBOARDS for prefix in each.prefixes if metric.startswith(prefix)]
    return max(fitting, key=lambda found: found[0])[1]


def queries(metric: DeclaredMetric) -> Iterator[tuple[str, str]]:
    """The expressions of a metric's panel, each with its legend."""
    names = [label.name for label in metric.labels if label.name in ("route", "runtime") or len(label.values) > 0]
    shown = [name for name in names if name != "route"]
    by = f" by ({', '.join(shown)}) " if shown else " "
    legend = " ".join(f"{{{{{name}}}}}" for name in shown) or "all"
    match metric.kind:
        case MetricKind.COUNTER:
            yield f"sum{by}(rate({metric.name}[$__rate_interval]))", legend
        case MetricKind.GAUGE:
            yield f"max{by}({metric.name})", legend
        case MetricKind.HISTOGRAM:
            for quantile in _QUANTILES:
                rate = f"sum by (le) (rate({metric.name}_bucket[$__rate_interval]))"
                yield f"histogram_quantile({quantile:g}, {rate})", f"p{quantile * 100:g}"


def _panel(
    number: int, title: str, about: str, unit: str, found: Iterable[tuple[str, str]], place: tuple[int, int]
) -> dict[str, Any]:
    """A graph as Grafana's schema has it; ``found`` is expression and legend of each line, ``place`` is x and y."""
    return {
        "id": number,
        "type": "timeseries",
        "title": title,
        "description": about,
        "datasource": _SOURCE,
        "gridPos": {"x": place[0], "y": place[1], "w": _WIDTH, "h": _HEIGHT},
        "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
        "options": {
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
        "targets": [
            {"refId": chr(ord("A") + at), "datasource": _SOURCE, "expr": expression, "legendFormat": legend}
            for at, (expression, legend) in enumerate(found)
        ],
    }


def _unit(metric: DeclaredMetric) -> str:
    """How Grafana shows a metric's values; counters are shown by the second."""
    if metric.kind is MetricKind.COUNTER:
        return "Bps" if metric.unit == "bytes" else "cps"
    return _UNITS.get(metric.unit, "short")


def _panels(dashboard: Dashboard, metrics: Mapping[str, DeclaredMetric]) -> list[dict[str, Any]]:
    """The objectives of a dashboard first, then a graph for each metric, two in a row."""
    specs: list[tuple[str, str, str, list[tuple[str, str]]]] = []
    for objective in OBJECTIVES:
        if objective.name in dashboard.objectives:
            lines = [
                (f'{record_name(window)}{{slo="{objective.name}"}}', window)
                for burn in BURN_RATES
                for window in (burn.short, burn.long)
            ]
            specs.append((f"Objective: {objective.name}", f"{objective.meaning}: what is not.", "percentunit", lines))
    if dashboard.name == "services":
        specs.append(("Services up", "Processes that answer Prometheus.", "short", [_UP]))
        specs.append(("Alerts", "Alerts that fire.", "short", [_ALERTS]))
    for metric in metrics.values():
        about = f"{metric.meaning}."
        specs.append((metric.name.removeprefix("autos_"), about, _unit(metric), list(queries(metric))))
    per_row = _COLUMNS // _WIDTH
    return [
        _panel(at + 1, title, about, unit, found, ((at % per_row) * _WIDTH, (at // per_row) * _HEIGHT))
        for at, (title, about, unit, found) in enumerate(specs)
    ]


_UP: Final = ('sum by (service) (up{service=~"api|downloader|status|notifier"})', "{{service}}")
_ALERTS: Final = ('sum by (alertname) (ALERTS{alertstate="firing"})', "{{alertname}}")


def dashboard(one: Dashboard) -> dict[str, Any]:
    """A dashboard as Grafana imports it."""
    metrics = {
        name: metric for name, (metric, _) in by_metric(families()).items() if dashboard_of(name).name == one.name
    }
    return {
        "uid": f"autos-{one.name}",
        "title": one.title,
        "description": "Made by `python -m tools.monitoring` from the list of metrics.",
        "tags": ["autos"],
        "schemaVersion": SCHEMA_VERSION,
        "version": 1,
        "editable": True,
        "timezone": "browser",
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {
            "list": [{"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"}]
        },
        "links": [_LINK],
        "annotations": {"list": []},
        "panels": _panels(one, metrics),
    }


def texts() -> dict[str, str]:
    """Each dashboard's file, by its name."""
    return {f"{one.name}.json": json.dumps(dashboard(one), indent=1, ensure_ascii=False) + "\n" for one in DASHBOARDS}
