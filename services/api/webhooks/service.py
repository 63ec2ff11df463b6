"""A client's signing secret, and a signed test event sent at once."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Final

import orjson
from fastapi import Depends
from sqlalchemy import Connection, select, update

from services.api.access import rate_limit as ratelimit
from services.api.http.provided import provided
from services.api.webhooks.urls import WebhookUrls
from shared.clock import Clock, rfc3339
from shared.db.catalog import clients
from shared.db.engine import Database
from shared.domain.api_keys import new_webhook_secret
from shared.http.dial import CallResult, WebhookCaller
from shared.webhooks.signing import signature_headers

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
        until = self.previous_until if len(self.valid(now)) > 1 else None
        return {"secret": self.current, "previous_secret_until": rfc3339(until) if until is not None else None}


class WebhookService:
    """Secrets and test events of one client at a time.

    ``signing_key`` (``whsk_``) signs test events besides the client's secrets, as it signs deliveries.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        urls: WebhookUrls,
        caller: WebhookCaller,
        limit: ratelimit.Limit,
        *,
        signing_key: str | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._urls = urls
        self._caller = caller
        self._limit = limit
        self._signing_key = signing_key

    async def secret(self, client_id: str) -> dict[str, Any]:
        """The SecretView."""
        secrets = await self._database.run(lambda connection: _secrets(connection, client_id))
        return secrets.view(self._clock())

    async def rotate(self, client_id: str) -> dict[str, Any]:
        """A new secret; the one that held until now signs too for :data:`OVERLAP`."""

        def change(connection: Connection) -> Secrets:
            # The row is locked, so that of two rotations at once neither loses the other's secret silently.
            old = _secrets(connection, client_id, lock=True)
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

    async def test(self, client_id: str, url: str) -> tuple[dict[str, Any], dict[str, str]]:
        """Send a signed event of the type ``webhook.test``: what came back, and the headers of the client's limit.

        Raises InvalidWebhookUrl and RateLimited.
        """
        checked = await self._urls.check(url, "body.url")
        allowance = await self._database.autocommit(
            lambda connection: ratelimit.spend(connection, self._limit, client_id)
        )
        secrets = await self._database.run(lambda connection: _secrets(connection, client_id))
        now = self._clock()
        webhook_id = str(uuid.uuid4())
        body = orjson.dumps(
            {"type": "webhook.test", "timestamp": rfc3339(now), "data": {"message": "This is a test of your webhook."}}
        )
        headers = signature_headers(secrets.valid(now), webhook_id, now, body, 1, private_key=self._signing_key)
        result = await self._caller.post(checked.url, list(headers.items()), body)
        return _result_view(webhook_id, result), ratelimit.headers(self._limit, allowance)


Webhooks = Annotated[WebhookService, Depends(provided(WebhookService))]


def _result_view(webhook_id: str, result: CallResult) -> dict[str, Any]:
    return {
        "webhook_id": webhook_id,
        "succeeded": result.succeeded,
        "status_code": result.status_code,
        "duration_ms": round(result.duration * 1000),
        "address": result.address,
        "error_code": result.error_code,
        "error_message": result.error_message,
        "response_excerpt": result.excerpt,
    }


def _secrets(connection: Connection, client_id: str, *, lock: bool = False) -> Secrets:
    statement = select(
        clients.c.webhook_secret, clients.c.previous_webhook_secret, clients.c.previous_secret_until
    ).where(clients.c.client_id == client_id)
    row = connection.execute(statement.with_for_update() if lock else statement).one()
    return Secrets(row.webhook_secret, row.previous_webhook_secret, row.previous_secret_until)
