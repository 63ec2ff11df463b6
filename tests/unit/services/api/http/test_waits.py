"""What a request waits for is not counted as the api's own time, and what waits at once counts once."""

from __future__ import annotations

import asyncio

from services.api.http.waits import waiting_for_others, waits_of_request


async def test_what_is_waited_for_at_once_counts_once_also_in_tasks_of_the_request() -> None:
    waits = waits_of_request()
    entered = asyncio.Event()

    async def one() -> None:
        with waiting_for_others():
            entered.set()
            await asyncio.sleep(0)

    with waiting_for_others():
        await asyncio.gather(one(), one())
        assert entered.is_set()
        assert waits.seconds == 0.0
        assert waits.open == 1
    first = waits.seconds
    assert first > 0.0 and waits.open == 0
    with waiting_for_others():
        pass
    assert waits.seconds > first


async def test_requests_count_apart_and_outside_of_one_nothing_is_counted() -> None:
    async def request() -> float:
        waits = waits_of_request()
        with waiting_for_others():
            await asyncio.sleep(0)
        return waits.seconds

    async def neither() -> None:
        with waiting_for_others():
            await asyncio.sleep(0)

    first, second, _ = await asyncio.gather(
        asyncio.create_task(request()), asyncio.create_task(request()), asyncio.create_task(neither())
    )
    assert first > 0.0 and second > 0.0
