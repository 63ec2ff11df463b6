"""Shows a client its deliveries, and asks their owner, the notifier, by an event to send one again."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import Depends
from sqlalchemy import Connection, Row

from services.api.deliveries import repository
from services.api.http import cursors
from services.api.http.problems import DeliveryNotFound
from services.api.http.provided import provided
from services.api.outbox import event_record, publish
from shared.clock import Clock, rfc3339
from shared.db.engine import Database
from shared.domain.secrecy import Viewer
from shared.domain.views import ANSWER_BYTES, fitting
from shared.events import topics
from shared.events.envelope import Event
from shared.events.webhook_subscribed import RedeliveryRequested

_PAGE_BYTES: Final = ANSWER_BYTES - 1_000
_ATTEMPTS_BYTES: Final = 1_000_000
"""Of one delivery: forty attempts with the longest answers, thousands with ordinary ones."""
_DELIVERY: Final = (
    "subscription_id",
    "job_id",
    "process_number",
    "endpoint_id",
    "url",
    "event_type",
    "status",
    "next_attempt_at",
    "last_status_code",
    "last_error_code",
    "created_at",
    "updated_at",
    "delivered_at",
    "trace_id",
)
_ATTEMPT: Final = (
    "attempt",
    "started_at",
    "duration_ms",
    "dns_ms",
    "connect_ms",
    "tls_ms",
    "first_byte_ms",
    "address",
    "status_code",
    "succeeded",
    "error_code",
    "error_message",
    "response_excerpt",
    "request_headers",
    "span_id",
)


@dataclass(frozen=True)
class DeliveryFilter:
    """Which deliveries are listed."""

    process_number: str | None = None
    status: str | None = None
    cursor: str | None = None
    limit: int = 50


class DeliveryService:
    """The deliveries of one client; those of others do not exist for it."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def page(self, viewer: Viewer, wanted: DeliveryFilter) -> dict[str, Any]:
        """The DeliveryPage. Raises InvalidCursor."""
        before = cursors.decode_uuid(wanted.cursor) if wanted.cursor is not None else None

        def read(connection: Connection) -> dict[str, Any]:
            rows = repository.page(
                connection,
                viewer,
                process_number=wanted.process_number,
                status=wanted.status,
                before=before,
                limit=wanted.limit + 1,
            )
            listed = rows[: wanted.limit]
            made = repository.attempts_of(connection, [row.delivery_id for row in listed])
            # What receivers answered is part of it: a page is shorter where that is long.
            shown = fitting([delivery_view(row, made[row.delivery_id]) for row in listed], _PAGE_BYTES)
            last = rows[len(shown) - 1] if shown and len(rows) > len(shown) else None
            return {
                "deliveries": shown,
                "next_cursor": cursors.encode(last.created_at, last.delivery_id) if last is not None else None,
            }

        return await self._database.run(read)

    async def show(self, viewer: Viewer, delivery_id: str) -> dict[str, Any]:
        """The DeliveryView. Raises DeliveryNotFound."""
        return await self._database.run(lambda connection: _detail(connection, _row(connection, viewer, delivery_id)))

    async def redeliver(self, viewer: Viewer, delivery_id: str, traceparent: str) -> dict[str, Any]:
        """Have a delivery sent again in a new round of attempts. Raises DeliveryNotFound.

        Only asks the notifier, by an event in the outbox; the view is as before. Each call asks once more.
        """

        def request(connection: Connection) -> dict[str, Any]:
            row = _row(connection, viewer, delivery_id)
            event = RedeliveryRequested(
                delivery_id=delivery_id,
                job_id=row.job_id,
                process_number=row.process_number,
                client_id=viewer.client_id,
            )
            self._publish(connection, event, traceparent)
            return _detail(connection, row)

        return await self._database.run(request)

    def _publish(self, connection: Connection, event: Event, traceparent: str) -> None:
        now = self._clock()
        # Each request is an event of its own, so its id is random; the outbox keeps it when it is published again.
        event_id = str(uuid.uuid4())
        record = event_record(event, topics.WEBHOOK_SUBSCRIBED, event_id=event_id, now=now, traceparent=traceparent)
        publish(connection, [record], now)


Deliveries = Annotated[DeliveryService, Depends(provided(DeliveryService))]


def delivery_view(row: Row[Any], attempts: Sequence[Row[Any]]) -> dict[str, Any]:
    """The DeliveryView of a row, with the newest of its attempts: all of a few rounds."""
    newest = fitting([_fields(attempt, _ATTEMPT) for attempt in reversed(attempts)], _ATTEMPTS_BYTES)
    return {
        "id": row.delivery_id,
        **_fields(row, _DELIVERY),
        "job_id": row.job_id if row.process_number is not None else None,
        "attempt_count": row.attempts,
        "attempts": newest[::-1],
    }


def _row(connection: Connection, viewer: Viewer, delivery_id: str) -> Row[Any]:
    row = repository.find(connection, viewer, delivery_id)
    if row is None:
        raise DeliveryNotFound
    return row


def _detail(connection: Connection, row: Row[Any]) -> dict[str, Any]:
    return delivery_view(row, repository.attempts_of(connection, [row.delivery_id])[row.delivery_id])


def _fields(row: Row[Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: _shown(getattr(row, name)) for name in names}


def _shown(value: Any) -> Any:
    return rfc3339(value) if isinstance(value, datetime) else value
