"""Registers, changes, removes and shows endpoints. Each change is told to the notifier by an event."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import Depends
from sqlalchemy import Connection, Row

from services.api.access import rate_limit as ratelimit
from services.api.endpoints import repository
from services.api.endpoints.rules import (
    SealingKeyMissing,
    TooManyEndpoints,
    checked_description,
    checked_events,
    checked_header_names,
    checked_rate,
)
from services.api.endpoints.views import called_view, registered_view, with_secret
from services.api.http.problems import EndpointNotFound
from services.api.http.provided import provided
from services.api.outbox import event_record, publish
from services.api.webhooks.service import OVERLAP
from services.api.webhooks.urls import WebhookUrls
from shared.clock import Clock
from shared.db.engine import Database
from shared.domain.api_keys import new_webhook_secret
from shared.domain.views import ANSWER_BYTES, fitting
from shared.events import topics
from shared.events.envelope import Event
from shared.events.webhook_subscribed import EndpointChanged, EndpointEnableRequested
from shared.secrets.owners import endpoint_secret
from shared.webhooks.headers import HeaderKeys

_LIST_BYTES: Final = ANSWER_BYTES - 1_000


@dataclass(frozen=True)
class EndpointLimits:
    """``most``: endpoints that one client may register. ``bulk``: what it may cause: a name is resolved."""

    most: int
    bulk: ratelimit.Limit


class EndpointService:
    """The endpoints of one client at a time; those of others do not exist for it.

    Each change is one transaction, with the event that tells the notifier: that is when deliveries follow it. Reading
    shows the endpoint's health as the notifier last recorded it.
    """

    def __init__(
        self, database: Database, clock: Clock, urls: WebhookUrls, keys: HeaderKeys, limits: EndpointLimits
    ) -> None:
        self._database = database
        self._clock = clock
        self._urls = urls
        self._keys = keys
        self._limits = limits

    async def register(
        self, client_id: str, wanted: Mapping[str, Any], traceparent: str
    ) -> tuple[dict[str, Any], dict[str, str]]:
        """Register an endpoint with a new secret: the EndpointCreated, and the headers of the client's limit. Not
        idempotent.

        Raises:
            InvalidWebhookUrl, InvalidEndpoint: something that is said of it is not allowed; ``errors[0].code`` says
                what.
            SealingKeyMissing: it has headers, and there is no key to keep them with.
            TooManyEndpoints: the client has AUTOS_WEBHOOK_ENDPOINTS_PER_CLIENT.
            RateLimited: registering costs as a request that starts a job does.
        """
        endpoint_id, secret, now = str(uuid.uuid4()), new_webhook_secret(), self._clock()
        values = await self._values(endpoint_id, {**wanted, "events": wanted.get("events")})
        limit = await self._spend(client_id)
        stored = self._keys.secrets.to_store(secret, endpoint_secret(endpoint_id))
        row = {"endpoint_id": endpoint_id, "client_id": client_id, "secret": stored, "created_at": now, **values}

        def write(connection: Connection) -> dict[str, Any]:
            if repository.count_registered(connection, client_id) >= self._limits.most:
                raise TooManyEndpoints(f"a client registers {self._limits.most} at most: remove one first")
            repository.add(connection, row)
            self._tell(connection, EndpointChanged(endpoint_id=endpoint_id, client_id=client_id), traceparent)
            return registered_view(_found(connection, client_id, endpoint_id))

        return with_secret(await self._database.run(write), secret, None), limit

    async def change(
        self, client_id: str, endpoint_id: str, wanted: Mapping[str, Any], traceparent: str
    ) -> tuple[dict[str, Any], dict[str, str]]:
        """Change what ``wanted`` names and nothing else: the EndpointView after it, and the headers of the client's
        limit.

        Only a new URL costs. Raises EndpointNotFound, and as :meth:`register` but for TooManyEndpoints.
        """
        await self._database.run(lambda connection: _found(connection, client_id, endpoint_id))
        values = await self._values(endpoint_id, wanted)
        limit = await self._spend(client_id) if "url" in values else {}

        def write(connection: Connection) -> dict[str, Any]:
            _found(connection, client_id, endpoint_id, lock=True)
            repository.change(connection, endpoint_id, values)
            self._tell(connection, EndpointChanged(endpoint_id=endpoint_id, client_id=client_id), traceparent)
            return registered_view(_found(connection, client_id, endpoint_id))

        return await self._database.run(write), limit

    async def remove(self, client_id: str, endpoint_id: str, traceparent: str) -> None:
        """Forget a registered endpoint; what was still to be sent to it is cancelled. Raises EndpointNotFound, also a
        second time.
        """

        def write(connection: Connection) -> None:
            if not repository.remove(connection, client_id, endpoint_id):
                raise EndpointNotFound
            self._tell(connection, EndpointChanged(endpoint_id=endpoint_id, client_id=client_id), traceparent)

        await self._database.run(write)

    async def rotate(self, client_id: str, endpoint_id: str) -> dict[str, Any]:
        """The EndpointCreated with a new secret; the one before signs too for 24 hours. Raises EndpointNotFound.

        A second rotation within that time drops the first of the three secrets at once.
        """
        secret, until = new_webhook_secret(), self._clock() + OVERLAP
        stored = self._keys.secrets.to_store(secret, endpoint_secret(endpoint_id))

        def write(connection: Connection) -> dict[str, Any]:
            row = _found(connection, client_id, endpoint_id, lock=True)
            new = {"secret": stored, "previous_secret": row.secret, "previous_secret_until": until}
            repository.change(connection, endpoint_id, {**new, "updated_at": self._clock()})
            return registered_view(_found(connection, client_id, endpoint_id))

        return with_secret(await self._database.run(write), secret, until)

    async def list(self, client_id: str) -> dict[str, Any]:
        """The EndpointList: registered ones first."""

        def read(connection: Connection) -> list[dict[str, Any]]:
            registered = [registered_view(row) for row in repository.registered_of(connection, client_id)]
            return registered + [called_view(row) for row in repository.called_of(connection, client_id)]

        return {"endpoints": fitting(await self._database.run(read), _LIST_BYTES)}

    async def show(self, client_id: str, endpoint_id: str) -> dict[str, Any]:
        """The EndpointView. Raises EndpointNotFound."""
        return await self._database.run(lambda connection: _view(connection, client_id, endpoint_id))

    async def enable(self, client_id: str, endpoint_id: str, traceparent: str) -> dict[str, Any]:
        """Ask the notifier to call a disabled endpoint again, with what was kept for it. Raises EndpointNotFound.

        Returns the view as it is before that.
        """

        def request(connection: Connection) -> dict[str, Any]:
            view = _view(connection, client_id, endpoint_id)
            self._tell(connection, EndpointEnableRequested(endpoint_id=endpoint_id, client_id=client_id), traceparent)
            return view

        return await self._database.run(request)

    async def _values(self, endpoint_id: str, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """The columns that are written, of what a client says."""
        values: dict[str, Any] = {"updated_at": self._clock()}
        if "events" in wanted:
            values["events"] = checked_events(wanted["events"])
        if "payload" in wanted:
            values["payload"] = wanted["payload"]
        if "description" in wanted:
            values["description"] = checked_description(wanted["description"])
        if "rate" in wanted:
            values["rate"] = checked_rate(wanted["rate"])
        if "headers" in wanted:
            values["header_names"] = checked_header_names(wanted["headers"])
            if wanted["headers"] and not self._keys:
                raise SealingKeyMissing("set AUTOS_SECRETS_KEY, or register the endpoint without headers")
            values["sealed_headers"] = self._keys.seal(wanted["headers"], endpoint_id)
        if "url" in wanted:
            values["url"] = (await self._urls.check(wanted["url"], "body.url")).url
        return values

    async def _spend(self, client_id: str) -> dict[str, str]:
        limit = self._limits.bulk
        allowance = await self._database.autocommit(lambda connection: ratelimit.spend(connection, limit, client_id))
        return ratelimit.headers(limit, allowance)

    def _tell(self, connection: Connection, event: Event, traceparent: str) -> None:
        now = self._clock()
        # Each request is an event of its own, so its id is random; the outbox keeps it when it is published again.
        event_id = str(uuid.uuid4())
        record = event_record(event, topics.WEBHOOK_SUBSCRIBED, event_id=event_id, now=now, traceparent=traceparent)
        publish(connection, [record], now)


Endpoints = Annotated[EndpointService, Depends(provided(EndpointService))]


def _found(connection: Connection, client_id: str, endpoint_id: str, *, lock: bool = False) -> Row[Any]:
    row = repository.find_registered(connection, client_id, endpoint_id, lock=lock)
    if row is None:
        raise EndpointNotFound
    return row


def _view(connection: Connection, client_id: str, endpoint_id: str) -> dict[str, Any]:
    row = repository.find_registered(connection, client_id, endpoint_id)
    if row is not None:
        return registered_view(row)
    called = repository.find_called(connection, client_id, endpoint_id)
    # A registered one that is gone is gone, although the notifier remembers how it did.
    if called is None or called.registered:
        raise EndpointNotFound
    return called_view(called)
