"""Those who wait for the start of a job hear of it after its commit."""

from __future__ import annotations

import httpx

from shared.db.channels import OUTBOX, PROGRESS, Listener
from tests.integration.api.scripted import MakeNumber, ScriptedSource
from tests.support import Servers, wait_until_async


async def test_relay_and_followers_hear_of_a_start(
    api: httpx.AsyncClient, servers: Servers, source: ScriptedSource, process_number: MakeNumber
) -> None:
    number = process_number()
    source.add(number)
    heard: dict[str, list[str | None]] = {OUTBOX: [], PROGRESS: []}
    listeners = [Listener(servers.owner_url, channel, found.append) for channel, found in heard.items()]
    for listener in listeners:
        listener.start()
    try:
        # Each listens from the first call on.
        await wait_until_async(lambda: all(heard.values()))
        assert (await api.get(f"/processes/{number}")).json()["job"] is not None
        await wait_until_async(lambda: "catalog" in heard[OUTBOX] and number in heard[PROGRESS])
    finally:
        for listener in listeners:
            listener.stop()
