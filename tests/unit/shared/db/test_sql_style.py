"""Raw SQL is written in one way (docs/adr/0027-one-sql-style.md)."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[4]
IN_THE_DRIVERS_FORM = {"shared/db/prepared.py"}


def test_the_drivers_own_form_is_in_one_module_alone() -> None:
    found = {
        path.relative_to(ROOT).as_posix()
        for folder in ("services", "shared", "sources", "ops")
        for path in (ROOT / folder).rglob("*.py")
        if "exec_driver_sql" in path.read_text(encoding="utf-8")
    }
    assert found == IN_THE_DRIVERS_FORM
