"""What an alert is, before it is a rule of Prometheus: an expression with its windows and limit left open."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

RUNBOOKS: Final = "docs/runbooks.md"
REHEARSAL_WINDOW: Final = "15s"
"""A few scrapes of a rehearsal, which scrapes each second."""


class Severity(StrEnum):
    """Who has to look: ``page`` somebody now, ``ticket`` somebody in working hours."""

    PAGE = "page"
    TICKET = "ticket"


@dataclass(frozen=True, slots=True)
class Alert:
    """``expression`` has ``$window`` and ``$limit`` where it has them; ``summary`` is a template of Prometheus.

    ``wait``: how long the expression has to hold (Prometheus' ``for``). ``rehearsal_limit``: what is enough when the
    alert is rehearsed on the embedded stack.
    """

    name: str
    expression: str
    summary: str
    severity: Severity = Severity.TICKET
    wait: str = "0s"
    window: str = "15m"
    limit: float = 0
    rehearsal_limit: float | None = None

    def rule(self, *, rehearsal: bool = False) -> dict[str, Any]:
        """The alert as Prometheus' rule files have it."""
        limit = self.rehearsal_limit if rehearsal and self.rehearsal_limit is not None else self.limit
        window = REHEARSAL_WINDOW if rehearsal else self.window
        return {
            "alert": self.name,
            "expr": self.expression.replace("$window", window).replace("$limit", f"{limit:g}"),
            "for": "0s" if rehearsal else self.wait,
            "labels": {"severity": self.severity.value},
            "annotations": {"summary": self.summary, "runbook": runbook(self.name)},
        }


def runbook(name: str) -> str:
    """Where it is written what to do about the alert: a heading of the page, as GitHub links to it."""
    return f"{RUNBOOKS}#{name.lower()}"
