"""deploy/monitoring/rules.yml: the groups of rules as Prometheus reads them. Pure."""

from __future__ import annotations

from typing import Any, Final

import yaml

from tools.monitoring import slos
from tools.monitoring.alerts import GROUPS

_HEAD: Final = """\
# Made by `python -m tools.monitoring` from tools/monitoring; `make check` refuses a difference.
# The series need the label `service` (api, downloader, status, notifier): see prometheus.yml beside this file.
"""


def groups(*, rehearsal: bool = False) -> list[dict[str, Any]]:
    """The groups; ``rehearsal`` with windows of seconds, and limits that a stack on one machine reaches."""
    made = [
        {"name": name, "rules": [alert.rule(rehearsal=rehearsal) for alert in alerts]}
        for name, alerts in GROUPS.items()
    ]
    return [*made, {"name": "autos-objectives", "rules": list(slos.rules(rehearsal=rehearsal))}]


def alert_names() -> list[str]:
    """Every alert, once."""
    return list(dict.fromkeys(rule["alert"] for group in groups() for rule in group["rules"] if "alert" in rule))


def text(*, rehearsal: bool = False) -> str:
    """The whole file."""
    dumped = yaml.safe_dump({"groups": groups(rehearsal=rehearsal)}, sort_keys=False, allow_unicode=True, width=1000)
    return _HEAD + dumped
