"""Waiting ends with the first event, or with the time."""

from __future__ import annotations

import asyncio

import pytest

from shared.concurrency.waiting import wait_for_any


@pytest.mark.parametrize("number", [0, 1])
async def test_any_event_ends_the_wait_and_stays_set(number: int) -> None:
    events = asyncio.Event(), asyncio.Event()
    waiting = asyncio.create_task(wait_for_any(*events, within=3600.0))
    await asyncio.sleep(0)
    assert not waiting.done()
    events[number].set()
    async with asyncio.timeout(60):
        await waiting
    assert events[number].is_set()


async def test_the_time_ends_the_wait_and_leaves_no_task() -> None:
    before = asyncio.all_tasks()
    await wait_for_any(asyncio.Event(), asyncio.Event(), within=0.001)
    assert asyncio.all_tasks() == before


async def test_a_cancelled_wait_leaves_no_task() -> None:
    before = asyncio.all_tasks()
    waiting = asyncio.create_task(wait_for_any(asyncio.Event(), within=3600.0))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait({waiting})
    assert asyncio.all_tasks() == before
