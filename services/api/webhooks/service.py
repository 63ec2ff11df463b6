"""A client's signing secret."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Final

from fastapi import Depends
from sqlalchemy import Connection, select, update

from services.api.http.provided import provided
from shared.clock import Clock, rfc3339_or_none
from shared.db.catalog import clients
from shared.db.engine import Database
from shared.domain.api_keys import new_webhook_secret
from shared.secrets.keys import SecretKeys
from shared.secrets.owners import client_secret

OVERLAP: Final = timedelta(hours=24)
"""How long the previous secret signs too (docs/reference/webhooks.md, "Signatures")."""


@dataclass(frozen=True)
class Secrets:
    """The secrets of a client or an endpoint as they are stored; the previous one signs until then."""

    current: str
    previous: str | None
    previous_until: datetime | None
    about: str
    """Whose they are (:mod:`shared.secrets.owners`)."""

    def opened(self, keys: SecretKeys, now: datetime) -> list[str]:
        """Those that sign at this moment, newest first, as they sign. Raises SecretUnreadable."""
        stored = [self.current]
        if self.previous is not None and self.previous_until is not None and self.previous_until > now:
            stored.append(self.previous)
        return [keys.from_store(each, self.about) for each in stored]


class WebhookService:
    """The secret of one client at a time, encrypted where there is a key."""

    def __init__(self, database: Database, clock: Clock, keys: SecretKeys) -> None:
        self._database = database
        self._clock = clock
        self._keys = keys

    async def secret(self, client_id: str) -> dict[str, Any]:
        """The SecretView. Raises SecretUnreadable."""
        secrets = await self._database.run(lambda connection: secrets_of(connection, client_id))
        opened = secrets.opened(self._keys, self._clock())
        return _view(opened[0], secrets.previous_until if len(opened) > 1 else None)

    async def rotate(self, client_id: str) -> dict[str, Any]:
        """A new secret; the one that held until now signs too for :data:`OVERLAP`. Commits.

        A second rotation within that time drops the oldest at once. The old one is not opened: a client can be given a
        new secret although the key of the old one is lost.
        """
        secret, until = new_webhook_secret(), self._clock() + OVERLAP
        stored = self._keys.to_store(secret, client_secret(client_id))

        def change(connection: Connection) -> None:
            # The row is locked, so that of two rotations at once neither loses the other's secret silently.
            old = secrets_of(connection, client_id, lock=True)
            connection.execute(
                update(clients)
                .where(clients.c.client_id == client_id)
                .values(webhook_secret=stored, previous_webhook_secret=old.current, previous_secret_until=until)
            )

        await self._database.run(change)
        return _view(secret, until)


Webhooks = Annotated[WebhookService, Depends(provided(WebhookService))]


def secrets_of(connection: Connection, client_id: str, *, lock: bool = False) -> Secrets:
    """The secrets of a client, as they are stored."""
    statement = select(
        clients.c.webhook_secret, clients.c.previous_webhook_secret, clients.c.previous_secret_until
    ).where(clients.c.client_id == client_id)
    row = connection.execute(statement.with_for_update() if lock else statement).one()
    return Secrets(
        row.webhook_secret, row.previous_webhook_secret, row.previous_secret_until, about=client_secret(client_id)
    )


def _view(secret: str, previous_until: datetime | None) -> dict[str, Any]:
    """The SecretView."""
    return {"secret": secret, "previous_secret_until": rfc3339_or_none(previous_until)}
