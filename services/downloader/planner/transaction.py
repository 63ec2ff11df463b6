"""One Kafka transaction: records and the group's offsets are written together, or nothing is.

Calls librdkafka's transactional producer, which blocks, in a thread of its own.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterable, Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import groupby, islice
from typing import Any, Final, Generic, Protocol, TypeVar, cast

import confluent_kafka
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from services.downloader.planner.client_thread import ClientThread
from shared.kafka.consumer.assigned_partitions import Position
from shared.kafka.consumer.client import to_commit
from shared.kafka.consumer.handling import Emit
from shared.kafka.failures import ProducerFailed, RecordRefused, failure_of
from shared.records import OutgoingRecord

R = TypeVar("R")

CALL_SECONDS: Final = 5.0
"""How long one call of the client may take before it says that its answer has not come yet."""

_CHUNK: Final = 1_000
_RECORDS: Final = 4_000
"""A transaction that holds so many takes no further answer: a slow broker must have it within its time."""
_QUEUE_FULL_WAIT_SECONDS: Final = 0.05


class Aborted(Exception):
    """The transaction did not happen; it can be done again."""


class HandlerAnswer(Protocol):
    """One handler's answer, as the transaction writes it."""

    refused: RecordRefused | None
    """Set when the broker refuses one of its records for good."""

    @property
    def emit(self) -> Emit:
        """The records to write."""


A = TypeVar("A", bound=HandlerAnswer)


class EmitFailed(Exception):
    """Reading what a handler emits raised ``cause``: its own transaction must not happen, the others' may."""

    def __init__(self, answer: HandlerAnswer, cause: Exception) -> None:
        super().__init__(type(cause).__name__)
        self.answer = answer
        self.cause = cause


class _Taken(Generic[A]):
    """The answers that are in a transaction."""

    def __init__(self) -> None:
        self.answers: list[A] = []
        self.records = 0

    def of(self, answers: Iterable[A]) -> Iterator[A]:
        """As many of these as there is room for, each taken when it is asked for."""
        for answer in answers:
            if self.records >= _RECORDS:
                return
            self.answers.append(answer)
            yield answer


class TransactionClient:
    """The transactional producer, one call at a time, from the event loop.

    ``transaction_seconds``: how long a transaction can last at most, until the broker has aborted it. A call that does
    not return for so long makes the client unusable.
    """

    def __init__(self, client: confluent_kafka.Producer, transaction_seconds: float) -> None:
        self._client = client
        self._transaction_seconds = transaction_seconds
        # One thread also keeps the calls in order.
        self._thread = ClientThread("kafka-transactions")

    def close(self) -> None:
        """End the thread after the calls that are made; does not wait."""
        self._thread.close()

    async def init(self) -> None:
        """Take over the transactional id. Raises KafkaException, retriable when the broker is away."""
        await self._call(self._client.init_transactions, CALL_SECONDS)

    async def run(
        self, answers: Sequence[A], positions: Callable[[Sequence[A]], Sequence[Position]], member: Callable[[], Any]
    ) -> Sequence[A]:
        """Write answers, commit what ``positions`` makes of them, and return them: the first ones, as many as there is
        room for, but one at least.

        ``member()`` is the consumer's group metadata when they are written.

        Raises:
            EmitFailed: reading one answer failed; nothing is written, the others may be written without it.
            Aborted: nothing is written; it can be done again as it is.
            ProducerFailed: fenced or stuck; the process must start again.
        """
        try:
            await self._call(self._client.begin_transaction)
            taken = await self._write(answers)
            offsets = [to_commit(position) for position in positions(taken)]
            group_metadata = member()
            if offsets and group_metadata is not None:
                await self._send_offsets(offsets, group_metadata)
            await self._until_answered(self._client.commit_transaction)
            return taken
        except EmitFailed:
            # librdkafka may send the abort ahead of the partitions that it ends, which the broker refuses for good
            # (its issue 4849). What is acknowledged was registered before; it is aborted with the rest.
            await self._call(self._client.flush, CALL_SECONDS)
            await self._abort()
            raise
        except KafkaException as error:
            reason = error.args[0]
            if reason.fatal():
                raise ProducerFailed(reason.name()) from error
            await self._abort()
            raise Aborted(reason.name()) from error

    async def _send_offsets(self, offsets: list[TopicPartition], group_metadata: Any) -> None:
        await self._until_answered(self._client.send_offsets_to_transaction, offsets, group_metadata)

    async def _write(self, answers: Sequence[A]) -> Sequence[A]:
        """Produce what the handlers emit, in order, and return the answers that are in.

        Raises KafkaException for the transaction's own failures. Whatever else reading or producing raises is
        EmitFailed: that answer's alone.
        """
        taken = _Taken[A]()
        for lazily, group in groupby(answers, lambda answer: isinstance(answer.emit, AsyncIterable)):
            if not lazily:
                await self._thread.call(self._produce, list(group), taken)
                continue
            for answer in taken.of(group):
                await self._write_lazily(answer, taken)
        return taken.answers

    async def _write_lazily(self, answer: A, taken: _Taken[A]) -> None:
        chunk: list[OutgoingRecord] = []
        try:
            async for record in cast(AsyncIterable[OutgoingRecord], answer.emit):
                taken.records += 1
                chunk.append(record)
                if len(chunk) == _CHUNK:
                    await self._thread.call(self._produce_chunk, [(answer, record) for record in chunk])
                    chunk = []
            await self._thread.call(self._produce_chunk, [(answer, record) for record in chunk])
        except (KafkaException, EmitFailed):
            raise
        except Exception as error:
            raise EmitFailed(answer, error) from error

    def _produce(self, answers: Iterable[A], taken: _Taken[A]) -> None:
        """Put the records of these answers into the client's queue, made in chunks of _CHUNK. In the client's thread.

        A chunk is made before any of it is produced: each partition that comes up while the client registers others
        for the transaction is another request to the broker.
        """
        records = _records(answers, taken)
        while chunk := list(islice(records, _CHUNK)):
            self._produce_chunk(chunk)

    def _produce_chunk(self, records: Sequence[tuple[HandlerAnswer, OutgoingRecord]]) -> None:
        """Put records into the client's queue; waits while that is full. In the client's thread.

        Raises EmitFailed with RecordRefused for a record that the broker would never take. One that it refuses later,
        on delivery, is noted in the answer's ``refused``.
        """
        for answer, record in records:
            while True:
                try:
                    self._client.produce(
                        record.topic,
                        value=record.value,
                        key=record.key,
                        headers=list(record.headers.items()),
                        on_delivery=partial(_delivered, answer),
                    )
                except BufferError:
                    self._client.poll(_QUEUE_FULL_WAIT_SECONDS)
                except KafkaException as error:
                    failure = failure_of(error.args[0])
                    if isinstance(failure, RecordRefused):
                        raise EmitFailed(answer, failure) from error
                    raise
                else:
                    break

    async def _abort(self) -> None:
        try:
            await self._until_answered(self._client.abort_transaction)
        except KafkaException as error:
            raise ProducerFailed(error.args[0].name()) from error

    async def _until_answered(self, function: Callable[..., None], *arguments: Any) -> None:
        """Repeat a call that the client says may be repeated as it is (its answer has not come yet).

        Not for longer than a transaction lasts: after a restart of the broker the client can wait for ever for an
        answer that does not come. What follows then is an abort and, when that is not answered either, a new process.
        """
        deadline = time.monotonic() + self._transaction_seconds
        while True:
            try:
                await self._call(function, *arguments, CALL_SECONDS)
            except KafkaException as error:
                reason = error.args[0]
                if time.monotonic() > deadline or not reason.retriable() or reason.txn_requires_abort():
                    raise
            else:
                return

    async def _call(self, function: Callable[..., R], *arguments: Any) -> R:
        """Call the client. Raises ProducerFailed when it does not return for longer than a transaction lasts.

        The client is asked to return after CALL_SECONDS, but does not where it waits for the group's coordinator
        (librdkafka's issue 5456). Nothing can be done with a client that is stuck; a new process fences it.
        """
        try:
            return await self._thread.call(function, *arguments, within=self._transaction_seconds)
        except TimeoutError as stuck:
            raise ProducerFailed(f"{function.__name__} does not return") from stuck


def _records(answers: Iterable[A], taken: _Taken[A]) -> Iterator[tuple[A, OutgoingRecord]]:
    """The records of each answer that is taken. Raises EmitFailed for the answer whose reading fails."""
    for answer in taken.of(answers):
        try:
            for record in cast(Iterable[OutgoingRecord], answer.emit):
                taken.records += 1
                yield answer, record
        except KafkaException:
            raise
        except Exception as error:
            raise EmitFailed(answer, error) from error


def _delivered(answer: HandlerAnswer, error: KafkaError | None, _message: object) -> None:
    # Other errors than a refusal are heard when the transaction is committed.
    if error is not None and isinstance(failure := failure_of(error), RecordRefused):
        answer.refused = failure
