"""Writes handlers' answers with the process's producer, at least once; the runtime commits the offsets."""

from __future__ import annotations

from collections.abc import AsyncIterable, Awaitable, Callable, Hashable, Sequence
from typing import Any, Final, cast

from shared.kafka.consumer.entry import Entry
from shared.kafka.consumer.gathered_answers import Answer, GatheredAnswers, GatherSeconds
from shared.kafka.consumer.handling import Done, Emit
from shared.kafka.consumer.sink import OffsetLedger
from shared.kafka.producer import Producer
from shared.records import OutgoingRecord

_CHUNK: Final = 1_000

Review = Callable[[Sequence[tuple[Any, Done]]], Awaitable[Sequence[Done]]]
"""Sees items and answers that are about to be written together, and gives what is to be written instead."""


class ProducerSink:
    """Writes with a producer that stays open when the sink is closed. Its offsets are committed by the runtime
    afterwards, so a crash in between writes an answer twice: readers must take repeats
    (docs/adr/0004-consumer-runtime.md).

    With ``gather`` an answer waits for others, so that they share requests to the broker. One that goes ``at_once``
    does not wait, and takes along those of its lane: ``lane_of`` names the partition that an item's answer goes to;
    without it the items of a group have one. ``review`` sees each answer just before it is written; what it
    raises is raised to all that were to be written together. Without ``gather`` there is no review.
    """

    commits_offsets = False

    def __init__(
        self,
        producer: Producer,
        *,
        gather: GatherSeconds | None = None,
        lane_of: Callable[[Any], Hashable] | None = None,
        review: Review | None = None,
    ) -> None:
        self._producer = producer
        self._lane_of = lane_of
        self._review = review
        self._gathered = GatheredAnswers(self._write, gather) if gather is not None else None
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
            if self._gathered is None:
                await self._producer.send(emit)
            else:
                records = emit if isinstance(emit, Sequence) else list(emit)
                await self._gathered.write(Answer(entry, Done(records)), self._lane(entry), at_once=at_once)
        if self._ledger is not None:
            self._ledger.finish([entry])

    async def close(self) -> None:
        """Forget the ledger: what is acknowledged from now on is handled again."""
        self._ledger = None
        if self._gathered is not None:
            await self._gathered.close()

    def _lane(self, entry: Entry) -> Hashable:
        return entry.group if self._lane_of is None or entry.item is None else self._lane_of(entry.item)

    async def _write(self, answers: Sequence[Answer]) -> Sequence[Exception | None]:
        """Write what is left of the answers after the review."""
        emits = [answer.done.emit for answer in answers]
        # A record that could not be read has no item: nobody can say anything of it.
        seen = [index for index, answer in enumerate(answers) if answer.entry.item is not None]
        if self._review is not None and seen:
            reviewed = await self._review([(answers[index].entry.item, answers[index].done) for index in seen])
            for index, done in zip(seen, reviewed, strict=True):
                emits[index] = done.emit
        return await self._producer.send_together(cast(Sequence[Sequence[OutgoingRecord]], emits))

    async def _send_all_but_the_last(self, records: AsyncIterable[OutgoingRecord]) -> list[OutgoingRecord]:
        """Send full chunks as they come; the answer is what is left."""
        chunk: list[OutgoingRecord] = []
        async for record in records:
            chunk.append(record)
            if len(chunk) == _CHUNK:
                await self._producer.send(chunk)
                chunk = []
        return chunk
