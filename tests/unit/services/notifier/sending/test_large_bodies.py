"""Slots of large bodies: a dead origin uses up its own."""

from __future__ import annotations

import asyncio

from services.notifier.sending.large_bodies import LargeBodySlots


async def test_an_origin_that_holds_all_of_its_slots_delays_no_other() -> None:
    slots, gate = LargeBodySlots(by_origin=2, in_all=3), asyncio.Event()
    holding = 0

    async def hold(origin: str) -> None:
        nonlocal holding
        async with slots.hold(origin):
            holding += 1
            await gate.wait()

    dead = [asyncio.create_task(hold("dead")) for _ in range(50)]
    other = asyncio.create_task(hold("healthy"))
    for _ in range(5):
        await asyncio.sleep(0)
    assert holding == 3
    assert [task.done() for task in dead] == [False] * 50
    more = asyncio.create_task(hold("third"))
    for _ in range(5):
        await asyncio.sleep(0)
    assert holding == 3
    gate.set()
    await asyncio.gather(*dead, other, more)
    assert holding == 52
    assert len(slots) == 0
