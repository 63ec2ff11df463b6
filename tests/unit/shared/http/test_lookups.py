"""Look-ups of names: one hanging name takes one thread, and delays no other name."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import pytest

from shared.http.guard import MAX_ADDRESSES, GuardPolicy, WebhookUrlRefused, resolve
from shared.http.lookups import Lookups


class Names:
    """Names as a resolver sees them: those that begin with ``hang`` hang until they are let go."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.go = threading.Event()

    def __call__(self, host: str) -> Sequence[str]:
        self.asked.append(host)
        if host.startswith("hang"):
            self.go.wait(60)
        if host.startswith("unknown"):
            raise OSError("no such name")
        return ["192.0.2.1"]


async def test_a_hanging_name_is_asked_for_once_and_delays_no_other() -> None:
    names = Names()
    lookups = Lookups(names)
    hanging = [asyncio.create_task(lookups("hang.example", 80)) for _ in range(200)]
    many = [asyncio.create_task(lookups(f"hang{number}.example", 80)) for number in range(100)]
    assert await asyncio.wait_for(lookups("a.example", 443), 10) == ["192.0.2.1"]
    assert names.asked.count("hang.example") == 1
    names.go.set()
    assert await asyncio.gather(*hanging, *many) == [["192.0.2.1"]] * 300


async def test_who_gives_up_takes_nobody_with_him() -> None:
    names = Names()
    lookups = Lookups(names)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(lookups("hang.example", 80), 0.01)
    patient = asyncio.create_task(lookups("hang.example", 80))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(lookups("hang.example", 80), 0.01)
    names.go.set()
    assert await patient == ["192.0.2.1"]
    assert names.asked == ["hang.example"]
    # It is over: who asks now asks anew.
    await lookups("hang.example", 80)
    assert names.asked == ["hang.example"] * 2


async def test_look_ups_have_a_bound_and_what_is_beyond_waits() -> None:
    names = Names()
    lookups = Lookups(names, most=2)
    first = [asyncio.create_task(lookups(f"hang{number}.example", 80)) for number in range(2)]
    # They begin: since Python 3.12 what wait_for waits for begins before tasks that were made earlier.
    await asyncio.sleep(0)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(lookups("a.example", 80), 0.05)
    # Who waits for one of those that are under way needs no slot.
    again = asyncio.create_task(lookups("hang0.example", 80))
    names.go.set()
    await asyncio.gather(*first, again)
    assert await lookups("a.example", 80) == ["192.0.2.1"]


async def test_an_unknown_name_is_told_to_all_and_to_nobody() -> None:
    lookups = Lookups(Names())
    for _ in range(3):
        with pytest.raises(OSError, match="no such name"):
            await lookups("unknown.example", 80)
    abandoned = asyncio.create_task(lookups("unknown.example", 80))
    await asyncio.sleep(0)
    abandoned.cancel()
    with pytest.raises(OSError, match="no such name"):
        await lookups("unknown.example", 80)


@pytest.mark.parametrize(("count", "code"), [(MAX_ADDRESSES, None), (MAX_ADDRESSES + 1, "too_many_addresses")])
async def test_a_name_has_so_many_addresses(count: int, code: str | None) -> None:
    async def resolver(host: str, port: int) -> list[str]:
        return [f"8.8.8.{number}" for number in range(count)]

    if code is None:
        assert len(await resolve("hook.example", 443, GuardPolicy(), resolver)) == count
        return
    with pytest.raises(WebhookUrlRefused) as caught:
        await resolve("hook.example", 443, GuardPolicy(), resolver)
    assert caught.value.code == code
