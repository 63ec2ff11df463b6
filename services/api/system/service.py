"""Puts the system's state together from the database and the broker, at most once in two seconds for all who ask."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Final

from fastapi import Depends
from sqlalchemy import Connection

from services.api.http.provided import provided
from services.api.settings import ApiSettings
from services.api.system.broker import BrokerState, read_broker
from services.api.system.rows import read_queues
from shared.clock import Clock, rfc3339
from shared.concurrency.single_flight import SingleFlight
from shared.db.engine import Database

_KEEP_SECONDS: Final = 2.0
_BROKER_SECONDS: Final = 4.0
"""An answer waits so long for the broker, and comes without it then."""


class SystemState:
    """The state of the whole installation; not of one client, so it is for keys with ``admin``."""

    def __init__(self, database: Database, settings: ApiSettings, clock: Clock) -> None:
        self._database = database
        self._settings = settings
        self._clock = clock
        self._views: SingleFlight[str, dict[str, Any]] = SingleFlight(self._read, keep_seconds=_KEEP_SECONDS)
        self._broker: SingleFlight[str, BrokerState | None] = SingleFlight(self._ask_broker)

    async def show(self) -> dict[str, Any]:
        """The SystemView."""
        return await self._views.get("")

    async def _read(self, _: str) -> dict[str, Any]:
        asked = asyncio.gather(self._database.snapshot(self._of_database), self._known_of_broker())
        view: dict[str, Any]
        view, broker = await asked
        if broker is not None:
            view["lags"] = broker.lags
            view["dead_letters"] = [*broker.dead, *view["dead_letters"]]
        return view

    def _of_database(self, connection: Connection) -> dict[str, Any]:
        queues, aside = read_queues(connection)
        return {
            "at": rfc3339(self._clock()),
            "queues": queues,
            "lags": None,
            "dead_letters": aside,
        }

    async def _known_of_broker(self) -> BrokerState | None:
        try:
            async with asyncio.timeout(_BROKER_SECONDS):
                return await self._broker.get("")
        except TimeoutError:
            return None

    async def _ask_broker(self, _: str) -> BrokerState | None:
        return await asyncio.to_thread(read_broker, self._settings)


System = Annotated[SystemState, Depends(provided(SystemState))]
