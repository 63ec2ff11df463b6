"""Charges requests against their client's limit: those of one client that wait at the same moment by one statement.

A hundred requests of one client at once would else write its row a hundred times, each waiting for the one before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Final

from sqlalchemy import Connection

from services.api.access.rate_limit import Allowance, Limit, refusal, take_each
from shared.concurrency.batcher import Batcher
from shared.db.engine import Database

_MOST: Final = 200


class RateLimitCharges:
    """Takes what requests cost from their clients' allowances. For one event loop."""

    def __init__(self, database: Database, limit: Limit) -> None:
        self._database = database
        self._limit = limit
        self._batcher: Batcher[str, Allowance] = Batcher(self._spend, most=_MOST)

    async def spend(self, client_id: str) -> Allowance:
        """Take one of the client's allowance. Commits; nothing gives it back. Raises RateLimited."""
        allowance = await self._batcher.submit(client_id)
        if not allowance.allowed:
            raise refusal(self._limit, allowance)
        return allowance

    async def _spend(self, clients: Sequence[str]) -> list[Allowance]:
        return await self._database.autocommit(partial(_spend_for_all, limit=self._limit, clients=clients))


def _spend_for_all(connection: Connection, limit: Limit, clients: Sequence[str]) -> list[Allowance]:
    """One for each of these, which name a client as often as it has requests; in their order."""
    taken = {client: iter(take_each(connection, limit, client, count)) for client, count in Counter(clients).items()}
    return [next(taken[client]) for client in clients]
