"""What lists, sweeps and deletes finds its rows by an index, on a long history."""

from __future__ import annotations

import re

from tests.integration.notifier.history import history, plans
from tests.support import Servers

_DELIVERIES = 50_000
"""Twice as many attempts. With fewer rows the server is right to read a whole table."""


def test_every_question_about_deliveries_and_attempts_is_answered_by_an_index(servers: Servers) -> None:
    with history(servers, _DELIVERIES) as engine:
        found = plans(engine, _DELIVERIES)
    used: dict[str, set[str]] = {}
    for plan in found:
        assert not [scan for scan in plan.scans if re.fullmatch(r"Seq Scan on (deliveries|attempts)", scan)], plan
        used.setdefault(plan.name, set()).update(re.findall(r"using (\w+)", " ".join(plan.scans)))
    # Whether the case of a delivery is hidden from the client, and the trace of its job: by primary keys, for the rows
    # of the page.
    by_case = {"pk_processes", "pk_process_requests", "ix_process_requests_case", "pk_jobs"}
    for name in [name for name in used if name.startswith(("list", "one"))]:
        used[name] -= by_case
    assert used["list"] == used["list, deep cursor"] == {"ix_deliveries_client"}
    assert used["list by case"] == {"ix_deliveries_case"}
    assert used["list by status, few"] == used["list by status, few, deep cursor"] == {"ix_deliveries_status"}
    assert used["list by status, none"] == {"ix_deliveries_status"}
    assert used["one"] == {"pk_deliveries"}
    assert "ix_attempts_delivery" in used["attempts of a page"]
    assert {"ix_deliveries_open", "ix_deliveries_leased"} <= used["sweep"]
    assert "ix_attempts_started" in used["purge"]
    assert len([plan for plan in found if plan.name == "claim"]) == 2
    assert "pk_deliveries" in used["claim"]
    # Every plan but that of a batch delete answers with a page at most, and reads about as much.
    assert all(plan.rows <= 500 for plan in found if plan.name != "purge")
