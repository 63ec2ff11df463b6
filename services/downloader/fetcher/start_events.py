"""Sends the events that say that documents were started, without making the documents wait for it."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from shared.errors import ProcessingError
from shared.events.document_requested import DocumentRequested
from shared.kafka.producer import Producer
from shared.records import OutgoingRecord

GATHER_SECONDS: Final = 0.1
"""How long an event about a document waits for others. A request to the broker and a transaction of the projection
cost more than an event, and few clients see that a document is under way for less than this."""

_log = logging.getLogger(__name__)


class StartEvents:
    """Gathers DocumentStarted records and sends those of a moment together.

    A document that ends before its start was sent takes the start along, so the start keeps its place before the end.
    A start that cannot be written is dropped: the end says all that matters.
    """

    def __init__(self, producer: Producer, *, gather_seconds: float = GATHER_SECONDS) -> None:
        self._producer = producer
        self._gather_seconds = gather_seconds
        self._pending: dict[tuple[str, str], OutgoingRecord] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._sending: set[asyncio.Task[None]] = set()

    def send_soon(self, request: DocumentRequested, record: OutgoingRecord) -> None:
        """Send ``record``, the start of what was requested, with others."""
        self._pending[_key(request)] = record
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._gather_seconds, self._send_pending)

    def take(self, request: DocumentRequested) -> list[OutgoingRecord]:
        """The start, when it was not sent yet: the caller sends it before the document's end."""
        record = self._pending.pop(_key(request), None)
        return [] if record is None else [record]

    async def flush(self) -> None:
        """Send what is pending, and wait until all is sent."""
        self._send_pending()
        while self._sending:
            await asyncio.wait(list(self._sending))

    def _send_pending(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        records, self._pending = list(self._pending.values()), {}
        if records:
            task = asyncio.get_running_loop().create_task(self._send(records))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)

    async def _send(self, records: list[OutgoingRecord]) -> None:
        try:
            await self._producer.send(records)
        except ProcessingError as error:
            _log.warning(
                "The starts of documents could not be sent; their ends follow",
                extra={"count": len(records), "error": type(error).__name__},
            )


def _key(request: DocumentRequested) -> tuple[str, str]:
    return request.job_id, request.document_id
