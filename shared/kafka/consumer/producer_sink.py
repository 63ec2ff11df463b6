"""Writes handlers' answers with the process's producer, at least once; the runtime commits the offsets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Sequence
from typing import Final

from shared.kafka.consumer.entry import Entry
from shared.kafka.consumer.handling import Done, Emit
from shared.kafka.consumer.sink import OffsetLedger
from shared.kafka.producer import Producer
from shared.records import OutgoingRecord

_CHUNK: Final = 1_000
_TOGETHER: Final = 64
"""Answers that are enough to go on together."""


class Gate:
    """Lets those who wait go on together: ``seconds`` after the first came, when ``most`` are there, or when opened."""

    def __init__(self, seconds: float, most: int) -> None:
        self._seconds = seconds
        self._most = most
        self._waiting = 0
        self._opened = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None

    async def wait(self) -> None:
        """Return when the gate is opened."""
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._seconds, self.open)
        opened = self._opened
        self._waiting += 1
        if self._waiting >= self._most:
            self.open()
        await opened.wait()

    def open(self) -> None:
        """Let everyone who waits now go on; whoever comes later waits for others again."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._waiting = None, 0
        self._opened.set()
        self._opened = asyncio.Event()


class ProducerSink:
    """Writes with a producer that stays open when the sink is closed. Its offsets are committed by the runtime
    afterwards, so a crash in between writes an answer twice: readers must take repeats
    (docs/adr/0004-consumer-runtime.md).

    With ``gather_seconds`` an answer waits that long for others, so that they share requests to the broker. One that
    goes ``at_once`` does not wait, and takes along those that do.
    """

    commits_offsets = False

    def __init__(self, producer: Producer, *, gather_seconds: float = 0.0) -> None:
        self._producer = producer
        self._gate = Gate(gather_seconds, _TOGETHER) if gather_seconds else None
        self._ledger: OffsetLedger | None = None

    async def open(self, ledger: OffsetLedger) -> None:
        """Keep the ledger; the producer is open already."""
        self._ledger = ledger

    async def deliver(self, entry: Entry, done: Done, *, at_once: bool) -> None:
        """See Sink. An asynchronous generator is sent in chunks of 1,000 records as it is read; EmitUsedUp is never
        raised.
        """
        emit: Emit = done.emit
        if isinstance(emit, AsyncIterable):
            emit = await self._send_all_but_the_last(emit)
        # Nothing to write is the most frequent answer: it needs no call of the producer.
        if not (isinstance(emit, Sequence) and not emit):
            if self._gate is not None:
                await self._pass(self._gate, at_once=at_once)
            await self._producer.send(emit)
        if self._ledger is not None:
            self._ledger.finish([entry])

    async def _send_all_but_the_last(self, records: AsyncIterable[OutgoingRecord]) -> list[OutgoingRecord]:
        """Send full chunks as they come; the answer is what is left."""
        chunk: list[OutgoingRecord] = []
        async for record in records:
            chunk.append(record)
            if len(chunk) == _CHUNK:
                await self._producer.send(chunk)
                chunk = []
        return chunk

    @staticmethod
    async def _pass(gate: Gate, *, at_once: bool) -> None:
        if at_once:
            gate.open()
        else:
            await gate.wait()

    async def close(self) -> None:
        """Forget the ledger: what is acknowledged from now on is handled again."""
        self._ledger = None
