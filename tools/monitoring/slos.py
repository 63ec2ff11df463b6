"""Service level objectives and their burn rates, with several windows (Google SRE Workbook, "Alerting on SLOs"). Pure.

An alert needs the long window to be sure and the short one to end soon after the fault does. A budget that burns 14.4
times too fast is spent in two days of thirty, one that burns 6 times too fast in five.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from tools.monitoring.alert import Severity, runbook

FEWEST: Final = 20
"""Events in the long window below which nobody is woken: one of three is no rate."""
_REHEARSAL_FEWEST: Final = 1


@dataclass(frozen=True, slots=True)
class Objective:
    """Of what ``whole`` counts, the share ``target`` has to be ``good``; both have ``$window`` as their range."""

    name: str
    alert: str
    target: float
    good: str
    whole: str
    meaning: str
    rehearsed: tuple[str, str] = ("", "")
    """What in ``good`` is replaced by what, for a rehearsal."""


@dataclass(frozen=True, slots=True)
class BurnRate:
    """A budget that burns ``times`` too fast in both windows."""

    severity: Severity
    long: str
    short: str
    times: float


OBJECTIVES: Final = (
    Objective(
        "jobs",
        "JobsEndLate",
        0.99,
        'autos_status_job_seconds_bucket{le="1800.0"}[$window]',
        "autos_status_job_seconds_count[$window]",
        "99 % of the jobs end within 30 minutes of their acceptance",
        rehearsed=("1800.0", "1.0"),
    ),
    Objective(
        "webhooks",
        "WebhooksFail",
        0.99,
        'autos_webhook_endpoint_attempts_total{state="healthy",result="delivered"}[$window]',
        'autos_webhook_endpoint_attempts_total{state="healthy"}[$window]',
        "99 % of the attempts at endpoints that worked before are delivered",
    ),
    Objective(
        "answers",
        "AnswersSlow",
        0.999,
        'autos_api_answer_seconds_bucket{result!="failed",le="1.0"}[$window]',
        "autos_api_answer_seconds_count[$window]",
        "99.9 % of the answers come within a second and are no fault of ours",
    ),
)
BURN_RATES: Final = (
    BurnRate(Severity.PAGE, "1h", "5m", 14.4),
    BurnRate(Severity.TICKET, "6h", "30m", 6),
)
_REHEARSED: Final = (BurnRate(Severity.PAGE, "20s", "10s", 14.4),)


def record_name(window: str) -> str:
    """The recorded share of bad events in a window, by the label ``slo``."""
    return f"autos:slo_bad:ratio_{window}"


def _recorded(objective: Objective, window: str) -> dict[str, Any]:
    good, whole = (f"sum(rate({one.replace('$window', window)}))" for one in (objective.good, objective.whole))
    return {
        "record": record_name(window),
        "expr": f"1 - ({good} / {whole})",
        "labels": {"slo": objective.name},
    }


def _alert(objective: Objective, burn: BurnRate, fewest: int) -> dict[str, Any]:
    limit = f"{burn.times:g} * {round(1 - objective.target, 6):g}"
    this = f'{{slo="{objective.name}"}}'
    enough = f"sum(increase({objective.whole.replace('$window', burn.long)})) > {fewest}"
    return {
        "alert": objective.alert,
        "expr": f"({record_name(burn.long)}{this} > {limit} and {record_name(burn.short)}{this} > {limit})"
        f" and on () ({enough})",
        "for": "0s",
        "labels": {"severity": burn.severity.value},
        "annotations": {
            "summary": f"{{{{ $value | humanizePercentage }}}} in {burn.long} are bad, of: {objective.meaning}",
            "runbook": runbook(objective.alert),
        },
    }


def rules(*, rehearsal: bool = False) -> Iterator[dict[str, Any]]:
    """The recording rules, then the alerts on them."""
    rates = _REHEARSED if rehearsal else BURN_RATES
    fewest = _REHEARSAL_FEWEST if rehearsal else FEWEST
    for one in OBJECTIVES:
        objective = replace(one, good=one.good.replace(*one.rehearsed)) if rehearsal else one
        for burn in rates:
            yield from (_recorded(objective, window) for window in (burn.short, burn.long))
        yield from (_alert(objective, burn, fewest) for burn in rates)
