"""Tells that documents were started, where they take longer than a moment, without making the documents wait for it."""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime
from typing import Final, NamedTuple

from services.downloader.event_records import EventRecords
from shared.errors import ProcessingError
from shared.events.document_requested import DocumentRequested
from shared.kafka.producer import Producer
from shared.tracing.spans import traceparent_now

START_SECONDS: Final = 0.5
"""How long a document is under way before its start is told. Most documents have ended by then, and their end says when
they were started; an event of its own would be as much work for the broker and the projection as the end
(docs/adr/0050-small-cases.md)."""

_TOGETHER_SECONDS: Final = 0.1
"""Starts that are due so soon after the first one go with it."""

_log = logging.getLogger(__name__)


class _Begun(NamedTuple):
    request: DocumentRequested
    at: datetime
    traceparent: str | None
    due: float


class StartEvents:
    """Remembers what was started, and sends DocumentStarted for what has not ended after ``seconds``.

    A document that ends before is forgotten here: its end carries the moment of its start. A start that cannot be
    written is dropped: the end says all that matters. For one event loop.
    """

    def __init__(self, producer: Producer, event_records: EventRecords, *, seconds: float = START_SECONDS) -> None:
        self._producer = producer
        self._event_records = event_records
        self._seconds = seconds
        # In the order in which they are due.
        self._begun: dict[tuple[str, str], _Begun] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._sending: set[asyncio.Task[None]] = set()

    def began(self, request: DocumentRequested, traceparent: str | None) -> datetime:
        """A document is asked for now, whose start is told if it takes longer. The moment."""
        loop = asyncio.get_running_loop()
        begun = _Begun(request, self._event_records.now(), traceparent_now(traceparent), loop.time() + self._seconds)
        self._begun[_key(request)] = begun
        if self._timer is None:
            self._timer = loop.call_later(self._seconds, self._send_due)
        return begun.at

    def ended(self, request: DocumentRequested) -> None:
        """The document has ended: what was not told of its start is not told any more."""
        self._begun.pop(_key(request), None)

    async def flush(self) -> None:
        """Send what is pending, and wait until all is sent."""
        self._send(list(self._begun.values()))
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._sending:
            await asyncio.wait(self._sending)

    def _send_due(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        due = [begun for begun in self._begun.values() if begun.due <= now + _TOGETHER_SECONDS]
        self._send(due)
        first = next(iter(self._begun.values()), None)
        self._timer = None if first is None else loop.call_later(max(0.0, first.due - now), self._send_due)

    def _send(self, due: list[_Begun]) -> None:
        for begun in due:
            del self._begun[_key(begun.request)]
        if due:
            # Begun in this turn of the loop, so that they are written before an end that comes now.
            task = asyncio.get_running_loop().create_task(self._write(due))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)

    async def _write(self, begun: list[_Begun]) -> None:
        try:
            await self._producer.send(
                self._event_records.started(each.request, each.at, each.traceparent) for each in begun
            )
        except ProcessingError as error:
            _log.warning(
                "The starts of documents could not be sent; their ends follow",
                extra={"count": len(begun), "error": type(error).__name__},
            )


def _key(request: DocumentRequested) -> tuple[str, str]:
    return request.job_id, request.document_id
