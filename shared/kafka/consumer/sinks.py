"""Where outcomes go: the contract between the runtime and what makes an outcome lasting."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from shared.errors import ProcessingError
from shared.kafka.consumer.outcome import Done, Emit
from shared.kafka.consumer.partitions import Holding, Position
from shared.kafka.producer import Producer
from shared.kafka.records import OutgoingRecord, Record

_CHUNK: Final = 1_000
_TOGETHER: Final = 64
"""Outcomes that are enough to go on together."""


class EmitUsedUp(ProcessingError):
    """A generator was read, and what it gave was rolled back: the handler must make it anew."""


@dataclass(eq=False, slots=True)
class Entry:
    """A record on its way through the runtime. ``item`` is the decoded record."""

    record: Record
    holding: Holding
    item: Any
    group: str
    outcome: Done | None = None
    placed: bool = False
    """Whether it has one of its group's places: from its turn until its handler has answered."""
    answered: bool = False
    """Whether its task waits for the broker only, and no longer counts among the handlers."""
    last: bool = False
    """Whether nothing else of its group is at hand here: nobody follows whom its outcome could wait for."""
    prepared: bool = True
    failures: int = 0
    holds: int = 0
    label: str = "done"
    """How it is counted when it is finished."""
    letter: OutgoingRecord | None = None
    """Its dead letter, once it is given up."""
    error: Exception | None = None
    """Why it was given up."""


class Ledger(Protocol):
    """What a sink may ask the runtime, on its event loop."""

    def positions_with(self, entries: Sequence[Entry]) -> list[Position]:
        """What is to be committed when these entries are finished too."""

    def finish(self, entries: Sequence[Entry]) -> None:
        """These entries are finished: whatever is committed from now on may include them."""

    def group_metadata(self) -> Any:
        """The consumer's group metadata, for a transaction; None before the first assignment."""


class Sink(Protocol):
    """Makes outcomes lasting. ``deliver`` returns when everything is acknowledged and the entry is finished.

    It raises InfrastructureAway (hold the entry), EmitUsedUp (handle it again), RecordRefused, or ProducerFailed
    (the runtime ends). When cancelled it returns only when the fate of what it has begun is decided.
    """

    commits_offsets: bool
    """Whether the sink commits the group's offsets itself."""

    async def open(self, ledger: Ledger) -> None: ...

    async def deliver(self, entry: Entry, emit: Emit) -> None: ...

    async def close(self) -> None: ...


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
        """Let go who waits now; who comes later waits for others again."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._waiting = None, 0
        self._opened.set()
        self._opened = asyncio.Event()


class ProducerSink:
    """Writes with the process's producer; the runtime commits the offsets. At least once. The producer stays open.

    With ``gather_seconds`` an outcome waits so long for others, so that they share requests to the broker; the last one
    at hand of a group does not, nor one that is urgent, and takes those that wait along.
    """

    commits_offsets = False

    def __init__(self, producer: Producer, *, gather_seconds: float = 0.0) -> None:
        self._producer = producer
        self._gate = Gate(gather_seconds, _TOGETHER) if gather_seconds else None
        self._ledger: Ledger | None = None

    async def open(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def deliver(self, entry: Entry, emit: Emit) -> None:
        if isinstance(emit, AsyncIterable):
            chunk: list[OutgoingRecord] = []
            async for record in emit:
                chunk.append(record)
                if len(chunk) == _CHUNK:
                    await self._producer.send(chunk)
                    chunk = []
            emit = chunk
        # Nothing to write is the most frequent outcome: spare it the way through the producer.
        if not (isinstance(emit, Sequence) and not emit):
            if self._gate is not None:
                await self._pass(self._gate, entry)
            await self._producer.send(emit)
        if self._ledger is not None:
            self._ledger.finish([entry])

    async def _pass(self, gate: Gate, entry: Entry) -> None:
        if entry.last or (entry.outcome is not None and entry.outcome.urgent):
            gate.open()
        else:
            await gate.wait()

    async def close(self) -> None:
        self._ledger = None
