"""Outcomes and offsets in one Kafka transaction: what follows from a record is written exactly once.

Outcomes that are ready at the same time share a transaction; one transaction runs at a time. The offsets go in with
their metadata, so records may be finished in any order. A generation of the group that is over is fenced by the
broker: its transaction is aborted, and what still belongs to this member is written again.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import confluent_kafka
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from services.downloader.planner.blocking_calls import CallingThread
from shared.kafka.config import transactional_config
from shared.kafka.consumer.outcome import Emit, read_once
from shared.kafka.consumer.sinks import EmitUsedUp, Entry, Ledger
from shared.kafka.producer import ProducerFailed, RecordRefused, failure_of
from shared.kafka.records import OutgoingRecord

R = TypeVar("R")

_log = logging.getLogger(__name__)

_GROUP: Final = 500
_CHUNK: Final = 1_000
_CALL_SECONDS: Final = 5.0
_PAUSE_SECONDS: Final = 0.1
_QUEUE_FULL_WAIT_SECONDS: Final = 0.05


class _Aborted(Exception):
    """The transaction did not happen; it can be done again."""


@dataclass(eq=False, slots=True)
class _Delivery:
    entry: Entry
    emit: Emit
    settled: asyncio.Future[None]
    in_transaction: bool = False
    abandoned: bool = False
    """Its handler was cancelled: it may be in the transaction that runs, but in no further one."""
    refused: RecordRefused | None = None

    def reported(self, error: KafkaError | None, _message: object) -> None:
        """A delivery report. Other errors than a refusal are heard when the transaction is committed."""
        if error is not None and isinstance(failure := failure_of(error), RecordRefused):
            self.refused = failure


class _EmitFailed(Exception):
    """Reading what a handler emits raised ``cause``: its own transaction must not happen, the others' may."""

    def __init__(self, delivery: _Delivery, cause: Exception) -> None:
        super().__init__(type(cause).__name__)
        self.delivery = delivery
        self.cause = cause


class TransactionalSink:
    """Writes outcomes and offsets atomically. One a runtime; ``transactional_id`` is one of a kind (by replica).

    ``timeout_ms``: the broker aborts a transaction that is open for longer. A new process with the same id aborts
    it at once and fences the old one, which then ends with ProducerFailed.
    """

    commits_offsets = True

    def __init__(
        self,
        bootstrap_servers: str,
        transactional_id: str,
        config: dict[str, Any] | None = None,
        *,
        timeout_ms: int = 10_000,
        client: confluent_kafka.Producer | None = None,
    ) -> None:
        self._client = client or confluent_kafka.Producer(
            transactional_config(bootstrap_servers, transactional_id, config, timeout_ms=timeout_ms)
        )
        # The client's calls block; one thread also keeps them in order.
        self._thread = CallingThread("kafka-transactions")
        self._waiting: list[_Delivery] = []
        self._woken = asyncio.Event()
        self._ledger: Ledger | None = None
        self._worker: asyncio.Task[None] | None = None
        self._patience = timeout_ms / 1_000 + _CALL_SECONDS

    async def open(self, ledger: Ledger) -> None:
        """Take over the transactional id; waits for a broker that is away. Raises ProducerFailed."""
        self._ledger = ledger
        said = False
        while True:
            try:
                await self._call(self._client.init_transactions, _CALL_SECONDS)
                break
            except KafkaException as error:
                if not error.args[0].retriable():
                    raise ProducerFailed(error.args[0].name()) from error
                if not said:
                    said = True
                    _log.warning("waiting for the transaction coordinator", extra={"error": error.args[0].name()})
                await asyncio.sleep(_PAUSE_SECONDS)
        self._worker = asyncio.get_running_loop().create_task(self._work())

    async def deliver(self, entry: Entry, emit: Emit) -> None:
        """Return when the transaction with this outcome is committed."""
        if self._worker is None or self._worker.done():
            raise ProducerFailed("the transactional sink is not open")
        delivery = _Delivery(entry, emit, asyncio.get_running_loop().create_future())
        self._waiting.append(delivery)
        self._woken.set()
        try:
            await asyncio.shield(delivery.settled)
        except asyncio.CancelledError:
            delivery.abandoned = True
            if delivery.in_transaction:
                # Its partition should not go to another member while this is undecided. When the broker does not
                # answer for longer than a transaction can last, it has been aborted there.
                await asyncio.wait({delivery.settled}, timeout=self._patience)
            raise

    async def close(self) -> None:
        """End; what was not committed is aborted by the broker at the latest after the time-out."""
        if self._worker is not None:
            self._worker.cancel()
            await asyncio.wait({self._worker})
        self._thread.close()

    async def _work(self) -> None:
        try:
            while True:
                await self._woken.wait()
                self._woken.clear()
                while self._waiting:
                    group, self._waiting = self._waiting[:_GROUP], self._waiting[_GROUP:]
                    await self._settle(group)
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 - every waiting delivery raises it, which ends the runtime
            failure = error if isinstance(error, ProducerFailed) else ProducerFailed(type(error).__name__)
            failure.__cause__ = error
            for delivery in self._waiting:
                _settle(delivery, failure)
            self._waiting.clear()

    async def _settle(self, group: list[_Delivery]) -> None:
        """Until every delivery of the group is committed, failed by itself, or no longer ours."""
        aborts = 0
        try:
            while group := [delivery for delivery in group if not delivery.settled.done() and not delivery.abandoned]:
                for delivery in group:
                    delivery.in_transaction = True
                try:
                    await self._transact(group)
                except _EmitFailed as failed:
                    _settle(failed.delivery, failed.cause)
                except _Aborted as aborted:
                    _log.info("transaction aborted", extra={"error": str(aborted), "outcomes": len(group)})
                    # So that the poll thread can tell the generation that has begun meanwhile.
                    await asyncio.sleep(min(_PAUSE_SECONDS * 2**aborts, _CALL_SECONDS))
                    aborts = min(aborts + 1, 10)
                else:
                    for delivery in group:
                        _settle(delivery, None)
                    return
                for delivery in group:
                    delivery.in_transaction = False
                    if delivery.abandoned:
                        delivery.settled.cancel()
                    elif delivery.refused is not None:
                        _settle(delivery, delivery.refused)
                    elif read_once(delivery.emit):
                        _settle(delivery, EmitUsedUp("rolled back"))
        except ProducerFailed as failure:
            for delivery in group:
                _settle(delivery, failure)
            raise
        except asyncio.CancelledError:
            for delivery in group:
                delivery.settled.cancel()
            raise

    async def _transact(self, group: Sequence[_Delivery]) -> None:
        ledger = self._ledger
        assert ledger is not None
        try:
            await self._call(self._client.begin_transaction)
            for delivery in group:
                await self._write(delivery)
            offsets = [
                TopicPartition(p.topic, p.partition, p.offset, metadata=p.metadata)
                for p in ledger.positions_with([delivery.entry for delivery in group])
            ]
            member = ledger.group_metadata()
            if offsets and member is not None:
                await self._answered(self._client.send_offsets_to_transaction, offsets, member)
            await self._answered(self._client.commit_transaction)
        except _EmitFailed:
            # librdkafka may send the abort ahead of the partitions that it ends, which the broker refuses for good
            # (its issue 4849). What is acknowledged was registered before; it is aborted with the rest.
            await self._call(self._client.flush, _CALL_SECONDS)
            await self._abort()
            raise
        except KafkaException as error:
            reason = error.args[0]
            if reason.fatal():
                raise ProducerFailed(reason.name()) from error
            await self._abort()
            raise _Aborted(reason.name()) from error
        ledger.finish([delivery.entry for delivery in group])

    async def _write(self, delivery: _Delivery) -> None:
        try:
            if isinstance(delivery.emit, AsyncIterable):
                chunk: list[OutgoingRecord] = []
                async for record in delivery.emit:
                    chunk.append(record)
                    if len(chunk) == _CHUNK:
                        await self._thread.call(self._produce, chunk, delivery)
                        chunk = []
                await self._thread.call(self._produce, chunk, delivery)
            elif not (isinstance(delivery.emit, Sequence) and not delivery.emit):
                await self._thread.call(self._produce, delivery.emit, delivery)
        except KafkaException:
            raise
        except Exception as error:
            raise _EmitFailed(delivery, error) from error

    def _produce(self, records: Iterable[OutgoingRecord], delivery: _Delivery) -> None:
        for record in records:
            while True:
                try:
                    self._client.produce(
                        record.topic,
                        value=record.value,
                        key=record.key,
                        headers=list(record.headers.items()),
                        on_delivery=delivery.reported,
                    )
                except BufferError:
                    self._client.poll(_QUEUE_FULL_WAIT_SECONDS)
                except KafkaException as error:
                    failure = failure_of(error.args[0])
                    if isinstance(failure, RecordRefused):
                        raise failure from error
                    raise
                else:
                    break

    async def _abort(self) -> None:
        try:
            await self._answered(self._client.abort_transaction)
        except KafkaException as error:
            raise ProducerFailed(error.args[0].name()) from error

    async def _answered(self, function: Callable[..., None], *arguments: Any) -> None:
        """Repeat a call that the client says may be repeated as it is (its answer has not come yet).

        Not for longer than a transaction lasts: after a restart of the broker the client can wait for ever for an
        answer that does not come. What follows then is an abort and, when that is not answered either, a new process.
        """
        deadline = time.monotonic() + self._patience
        while True:
            try:
                await self._call(function, *arguments, _CALL_SECONDS)
            except KafkaException as error:
                reason = error.args[0]
                if time.monotonic() > deadline or not reason.retriable() or reason.txn_requires_abort():
                    raise
            else:
                return

    async def _call(self, function: Callable[..., R], *arguments: Any) -> R:
        """Call the client. Raises ProducerFailed when it does not return for longer than a transaction lasts.

        It is told to return after ``_CALL_SECONDS``, but forgets it where it waits for the group's coordinator
        (librdkafka's issue 5456). Nothing can be done with a client that is stuck; a new process fences it.
        """
        try:
            return await self._thread.call(function, *arguments, within=self._patience)
        except TimeoutError as stuck:
            raise ProducerFailed(f"{function.__name__} does not return") from stuck


def _settle(delivery: _Delivery, failure: Exception | None) -> None:
    if delivery.settled.done():
        return
    if failure is None:
        delivery.settled.set_result(None)
    else:
        delivery.settled.set_exception(failure)
        # A cancelled handler no longer looks.
        delivery.settled.exception()
