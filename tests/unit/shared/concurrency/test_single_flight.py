"""One piece of work in flight for each key."""

from __future__ import annotations

import asyncio

from shared.concurrency.single_flight import SingleFlight


async def test_one_flight_serves_all_who_ask_meanwhile_and_errors_are_not_kept() -> None:
    calls = 0
    go = asyncio.Event()

    async def work(key: str) -> int:
        nonlocal calls
        calls += 1
        await go.wait()
        if calls == 1:
            raise ValueError(key)
        return calls

    flights = SingleFlight(work, keep_seconds=60)
    waiting = [asyncio.create_task(flights.get("a")) for _ in range(5)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    go.set()
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(outcomes[0], asyncio.CancelledError)
    assert all(isinstance(outcome, ValueError) for outcome in outcomes[1:]) and calls == 1
    assert await flights.get("a") == await flights.get("a") == 2
    assert await flights.get("a", again=True) == 3
    await flights.aclose()
