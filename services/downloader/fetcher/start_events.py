"""Sends the events that say that documents were started, without making the documents wait for it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Final

from shared.concurrency.batcher import Batcher
from shared.errors import ProcessingError
from shared.events.document_requested import DocumentRequested
from shared.kafka.producer import Producer
from shared.records import OutgoingRecord

GATHER_SECONDS: Final = 0.1
"""How long an event about a document waits for others. A request to the broker and a transaction of the projection
cost more than an event, and few clients see that a document is under way for less than this."""

_AT_ONCE: Final = 10_000

_log = logging.getLogger(__name__)


class StartEvents:
    """Gathers DocumentStarted records and sends those of a moment together.

    A document that ends before its start was sent takes the start along, so the start keeps its place before the end.
    A start that cannot be written is dropped: the end says all that matters.
    """

    def __init__(self, producer: Producer, *, gather_seconds: float = GATHER_SECONDS) -> None:
        self._producer = producer
        self._batcher = Batcher(self._send, most=_AT_ONCE, wait=gather_seconds)
        self._pending: dict[tuple[str, str], tuple[OutgoingRecord, asyncio.Future[None]]] = {}

    def send_soon(self, request: DocumentRequested, record: OutgoingRecord) -> None:
        """Send ``record``, the start of what was requested, with others."""
        key = _key(request)
        sent = self._batcher.add(record)
        self._pending[key] = (record, sent)
        sent.add_done_callback(lambda done: self._forget(key, done))

    def take(self, request: DocumentRequested) -> list[OutgoingRecord]:
        """The start, when it was not sent yet: the caller sends it before the document's end."""
        record, sent = self._pending.get(_key(request), (None, None))
        if record is None or sent is None or not self._batcher.withdraw(sent):
            return []
        del self._pending[_key(request)]
        return [record]

    async def flush(self) -> None:
        """Send what is pending, and wait until all is sent."""
        await self._batcher.flush()

    def _forget(self, key: tuple[str, str], sent: asyncio.Future[None]) -> None:
        pending = self._pending.get(key)
        if pending is not None and pending[1] is sent:
            del self._pending[key]

    async def _send(self, records: Sequence[OutgoingRecord]) -> list[None]:
        try:
            await self._producer.send(records)
        except ProcessingError as error:
            _log.warning(
                "The starts of documents could not be sent; their ends follow",
                extra={"count": len(records), "error": type(error).__name__},
            )
        return [None] * len(records)


def _key(request: DocumentRequested) -> tuple[str, str]:
    return request.job_id, request.document_id
