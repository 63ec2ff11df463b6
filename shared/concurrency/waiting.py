"""Waits for an event or a time, whichever comes first."""

from __future__ import annotations

import asyncio


async def wait_for_any(*events: asyncio.Event, within: float) -> None:
    """Return when one of the events is set, or after ``within`` seconds. Clears none of them."""
    waits = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, timeout=within, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
