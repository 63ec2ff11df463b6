"""What the outcomes of the checks mean for the whole service (docs/adr/0011)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from services.api.health.checks import Readiness, judge


@pytest.mark.parametrize(
    ("checks", "status"),
    [
        ({"database": "ok", "broker": "ok"}, "ok"),
        ({"database": "ok", "broker": "timeout"}, "degraded"),
        ({"database": "timeout", "broker": "ok"}, "unavailable"),
        ({"database": "timeout", "broker": "timeout"}, "unavailable"),
    ],
)
def test_only_what_is_needed_to_answer_makes_the_service_unavailable(checks: Mapping[str, str], status: str) -> None:
    assert judge(checks, {"database"}).status == status


async def test_a_check_that_hangs_or_breaks_is_told_by_its_kind() -> None:
    async def hang() -> None:
        await asyncio.Event().wait()

    async def broken() -> None:
        raise ConnectionRefusedError("with the address in it")

    health = await Readiness({"broker": hang, "object_store": broken}, needed=(), timeout=0.01).look()
    assert health.checks == {"broker": "timeout", "object_store": "ConnectionRefusedError"}
    assert health.status == "degraded"
