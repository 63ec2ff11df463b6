"""Answers that are written together: by lane, by time, by number; and whom a failure reaches."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import cast

import pytest

from shared.errors import InfrastructureAway
from shared.kafka.consumer.assigned_partitions import AssignedPartition, Position
from shared.kafka.consumer.entry import Entry
from shared.kafka.consumer.gathered_answers import MOST, Answer, GatheredAnswers, GatherSeconds
from shared.kafka.consumer.handling import Done
from shared.kafka.failures import RecordRefused
from shared.records import OutgoingRecord, Record

PATIENT = GatherSeconds(60.0, 60.0)


class Written:
    """Keeps what was written together, each by its key; ``failures`` by key."""

    def __init__(self, failures: dict[bytes, Exception] | None = None, broken: Exception | None = None) -> None:
        self.together: list[list[bytes]] = []
        self._failures = failures or {}
        self._broken = broken

    async def write(self, answers: Sequence[Answer]) -> list[Exception | None]:
        keys = [cast(Sequence[OutgoingRecord], answer.done.emit)[0].key for answer in answers]
        self.together.append(keys)
        if self._broken is not None:
            raise self._broken
        return [self._failures.get(key) for key in keys]


def answer(group: str, key: bytes) -> Answer:
    entry = Entry(Record("t", 0, 0, None, None), AssignedPartition(Position("t", 0, 0)), object(), group)
    return Answer(entry, Done([OutgoingRecord("out", key, b"")]))


def waiting(gathered: GatheredAnswers, group: str, key: bytes, *, at_once: bool = False) -> asyncio.Task[None]:
    return asyncio.ensure_future(gathered.write(answer(group, key), group, at_once=at_once))


def test_more_lanes_wait_longer_and_none_longer_than_the_longest() -> None:
    seconds = GatherSeconds(0.1, 0.5)
    assert [seconds.of(lanes) for lanes in (1, 2, 6, 100)] == [0.1, 0.1, pytest.approx(0.3), 0.5]


async def test_what_goes_at_once_takes_its_lane_along_and_nobody_else() -> None:
    written = Written()
    gathered = GatheredAnswers(written.write, PATIENT)
    first, other = waiting(gathered, "a", b"a1"), waiting(gathered, "b", b"b1")
    await asyncio.sleep(0)
    await gathered.write(answer("a", b"a2"), "a", at_once=True)
    await first
    assert written.together == [[b"a1", b"a2"]] and not other.done()
    other.cancel()
    await asyncio.wait({other})
    await gathered.write(answer("b", b"b2"), "b", at_once=True)
    assert written.together[1:] == [[b"b2"]], "who has gone has taken its answer back"


async def test_lanes_go_together_in_time_and_one_when_it_has_enough() -> None:
    written = Written()
    gathered = GatheredAnswers(written.write, GatherSeconds(0.02, 0.03))
    async with asyncio.timeout(30):
        await asyncio.gather(waiting(gathered, "a", b"a1"), waiting(gathered, "b", b"b1"))
    assert written.together == [[b"a1", b"b1"]]
    patient = GatheredAnswers(written.write, PATIENT)
    async with asyncio.timeout(30):
        await asyncio.gather(*(waiting(patient, "a", b"") for _ in range(MOST)))
    assert len(written.together[1]) == MOST


async def test_a_failure_reaches_the_one_whose_it_is_and_a_broken_write_all() -> None:
    refused = RecordRefused("MSG_SIZE_TOO_LARGE")
    gathered = GatheredAnswers(Written({b"large": refused}).write, PATIENT)
    first = waiting(gathered, "a", b"large")
    await asyncio.sleep(0)
    await gathered.write(answer("a", b"small"), "a", at_once=True)
    with pytest.raises(RecordRefused):
        await first
    away = GatheredAnswers(Written(broken=InfrastructureAway("database")).write, PATIENT)
    second = waiting(away, "a", b"1")
    await asyncio.sleep(0)
    for each in (second, waiting(away, "a", b"2", at_once=True)):
        with pytest.raises(InfrastructureAway):
            await each
