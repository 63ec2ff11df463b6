"""Who may use the control server of the embedded stack: its own page with its token, nobody else."""

from __future__ import annotations

import pytest

from autos.local.control.guard import Guard

ORIGIN = "http://127.0.0.1:8000"
GUARD = Guard("a-token", {ORIGIN, "http://localhost:8000"}, 9000)
GOOD = {"host": "127.0.0.1:9000", "origin": ORIGIN, "authorization": "Bearer a-token"}


def test_the_page_of_the_stack_is_admitted_and_may_read_the_answer() -> None:
    assert GUARD.admits(GOOD)
    assert GUARD.cors(GOOD)["Access-Control-Allow-Origin"] == ORIGIN


def test_a_program_with_the_token_needs_no_origin() -> None:
    assert GUARD.admits({name: value for name, value in GOOD.items() if name != "origin"})


@pytest.mark.parametrize(
    "change",
    [
        {"authorization": "Bearer another"},
        {"authorization": ""},
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:8001"},
        {"host": "evil.example:9000"},
        {"host": ""},
    ],
)
def test_everybody_else_is_refused(change: dict[str, str]) -> None:
    """Another page, a name that was made to point here, and who does not know the token."""
    assert not GUARD.admits({**GOOD, **change})


def test_a_foreign_page_reads_no_answer() -> None:
    assert "Access-Control-Allow-Origin" not in GUARD.cors({**GOOD, "origin": "http://evil.example"})
    assert GUARD.origin({**GOOD, "host": "evil.example:9000"}) is None
