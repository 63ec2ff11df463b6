"""The alarm about refused credentials: one at a time, one an interval, again when it did not get out."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import cast

from services.downloader.source_share.source_alerts import CredentialsAlert, ForbiddenAlert, SourceAlarm
from shared.alerts.channel import Notice
from shared.alerts.sender import AlertSender
from tests.support import wait_until_async

AT = datetime(2026, 1, 2, tzinfo=UTC)


class Ear:
    """A sender whose word gets out as it is told to."""

    def __init__(self) -> None:
        self.heard: list[Notice] = []
        self.works = True
        self.free = asyncio.Event()
        self.free.set()
        self.closed = False

    async def send(self, notice: Notice) -> bool:
        self.heard.append(notice)
        await self.free.wait()
        return self.works

    async def aclose(self) -> None:
        self.closed = True


class World:
    def __init__(self) -> None:
        self.ear = Ear()
        self.now = 0.0
        self.alarm = SourceAlarm(
            cast(AlertSender, self.ear),
            source="https://pdpj.example",
            interval=60.0,
            clock=lambda: AT,
            seconds=lambda: self.now,
        )

    async def refuse(self) -> int:
        """How many alerts there have been after one more refusal, sent to the end unless the ear is held."""
        self.alarm.refused()
        if self.ear.free.is_set():
            await wait_until_async(lambda: not self.alarm.sending)
        return len(self.ear.heard)


async def test_one_alert_an_interval() -> None:
    world = World()
    assert await world.refuse() == 1
    world.now = 59.0
    assert await world.refuse() == 1
    world.now = 61.0
    assert await world.refuse() == 2


async def test_one_that_could_not_be_sent_is_sent_again_at_the_next_refusal() -> None:
    world = World()
    world.ear.works = False
    assert await world.refuse() == 1
    world.ear.works = True
    assert await world.refuse() == 2
    assert await world.refuse() == 2


async def test_many_refusals_at_once_are_one_alert_and_the_end_does_not_wait_for_it() -> None:
    world = World()
    world.ear.free.clear()
    for _ in range(5):
        await world.refuse()
    await world.alarm.aclose()
    assert len(world.ear.heard) <= 1
    assert world.ear.closed


def test_it_says_what_and_where_and_no_secret() -> None:
    alert = CredentialsAlert(AT, "https://pdpj.example")
    assert json.loads(alert.json()) == {
        "type": "source.alert",
        "timestamp": "2026-01-02T00:00:00.000000Z",
        "text": "Autos: PDPJ refuses our credentials",
        "data": {"source": "https://pdpj.example", "reason": "credentials_refused"},
    }
    assert "https://pdpj.example" in alert.text


def test_a_source_that_forbids_everything_is_told_with_what_to_try() -> None:
    alert = ForbiddenAlert(AT, "https://pdpj.example")
    assert json.loads(alert.json())["data"] == {"source": "https://pdpj.example", "reason": "source_forbidden"}
    assert "AUTOS_PDPJ_HEADERS" in alert.text
