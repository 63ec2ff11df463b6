"""Where outcomes go: the contract between the runtime and what makes an outcome lasting."""

from __future__ import annotations

from collections.abc import AsyncIterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from shared.kafka.errors import KafkaRuntimeError
from shared.kafka.holding import Holding, Position
from shared.kafka.outcome import Done, Emit
from shared.kafka.producer import Producer
from shared.kafka.records import OutgoingRecord, Record

_CHUNK: Final = 1_000


class EmitUsedUp(KafkaRuntimeError):
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
    prepared: bool = True
    failures: int = 0
    holds: int = 0
    label: str = "done"
    """How it is counted when it is finished."""
    letter: OutgoingRecord | None = None
    """Its dead letter, once it is given up."""


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


class ProducerSink:
    """Writes with the process's producer; the runtime commits the offsets. At least once. The producer stays open."""

    commits_offsets = False

    def __init__(self, producer: Producer) -> None:
        self._producer = producer
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
            await self._producer.send(emit)
        if self._ledger is not None:
            self._ledger.finish([entry])

    async def close(self) -> None:
        self._ledger = None
