"""A client's signing secret."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Final

from fastapi import Depends
from sqlalchemy import Connection, select, update

from services.api.http.provided import provided
from shared.clock import Clock, rfc3339
from shared.db.catalog import clients
from shared.db.engine import Database
from shared.domain.api_keys import new_webhook_secret

OVERLAP: Final = timedelta(hours=24)
"""How long the previous secret signs too (docs/reference/webhooks.md, "Signatures")."""


@dataclass(frozen=True)
class Secrets:
    """A client's secrets; the previous one signs until then."""

    current: str
    previous: str | None
    previous_until: datetime | None

    def valid(self, now: datetime) -> list[str]:
        """Those that sign at this moment, newest first."""
        if self.previous is not None and self.previous_until is not None and self.previous_until > now:
            return [self.current, self.previous]
        return [self.current]

    def view(self, now: datetime) -> dict[str, Any]:
        """The SecretView."""
        until = self.previous_until if len(self.valid(now)) > 1 else None
        return {"secret": self.current, "previous_secret_until": rfc3339(until) if until is not None else None}


class WebhookService:
    """The secret of one client at a time."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def secret(self, client_id: str) -> dict[str, Any]:
        """The SecretView."""
        secrets = await self._database.run(lambda connection: secrets_of(connection, client_id))
        return secrets.view(self._clock())

    async def rotate(self, client_id: str) -> dict[str, Any]:
        """A new secret; the one that held until now signs too for :data:`OVERLAP`. Commits.

        A second rotation within that time drops the oldest at once.
        """

        def change(connection: Connection) -> Secrets:
            # The row is locked, so that of two rotations at once neither loses the other's secret silently.
            old = secrets_of(connection, client_id, lock=True)
            new = Secrets(new_webhook_secret(), old.current, self._clock() + OVERLAP)
            connection.execute(
                update(clients)
                .where(clients.c.client_id == client_id)
                .values(
                    webhook_secret=new.current,
                    previous_webhook_secret=new.previous,
                    previous_secret_until=new.previous_until,
                )
            )
            return new

        return (await self._database.run(change)).view(self._clock())


Webhooks = Annotated[WebhookService, Depends(provided(WebhookService))]


def secrets_of(connection: Connection, client_id: str, *, lock: bool = False) -> Secrets:
    """The secrets of a client."""
    statement = select(
        clients.c.webhook_secret, clients.c.previous_webhook_secret, clients.c.previous_secret_until
    ).where(clients.c.client_id == client_id)
    row = connection.execute(statement.with_for_update() if lock else statement).one()
    return Secrets(row.webhook_secret, row.previous_webhook_secret, row.previous_secret_until)
