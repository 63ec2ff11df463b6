"""Tells that documents have been started, without making the documents wait for it."""

from __future__ import annotations

import asyncio
import logging

from shared.kafka.errors import KafkaRuntimeError
from shared.kafka.producer import Producer
from shared.kafka.records import OutgoingRecord

_log = logging.getLogger(__name__)


class Starts:
    """Gathers DocumentStarted records and sends those of one turn of the event loop together.

    They go to the producer before anything that a document's handler sends later, so they keep their place before the
    document's end. One that cannot be written is given up: the end says all that matters.
    """

    def __init__(self, producer: Producer) -> None:
        self._producer = producer
        self._pending: list[OutgoingRecord] = []
        self._sending: set[asyncio.Task[None]] = set()

    def tell(self, record: OutgoingRecord) -> None:
        """Send ``record`` soon."""
        self._pending.append(record)
        if len(self._pending) == 1:
            task = asyncio.get_running_loop().create_task(self._send())
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)

    async def settle(self) -> None:
        """Wait for what was told so far."""
        while self._sending:
            await asyncio.wait(list(self._sending))

    async def _send(self) -> None:
        records, self._pending = self._pending, []
        try:
            await self._producer.send(records)
        except KafkaRuntimeError as error:
            _log.warning("starts of documents not told", extra={"count": len(records), "error": type(error).__name__})
