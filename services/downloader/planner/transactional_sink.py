"""Answers and offsets in one Kafka transaction: what follows from a record is written exactly once.

Answers that are ready at the same time share a transaction; one transaction runs at a time. The offsets go in with
their metadata, so records may be finished in any order. A generation of the group that is over is fenced by the
broker: its transaction is aborted, and what still belongs to this member is written again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import confluent_kafka
from confluent_kafka import KafkaException

from services.downloader.planner.transaction import CALL_SECONDS, Aborted, EmitFailed, TransactionClient
from shared.kafka.config import transactional_config
from shared.kafka.consumer.entry import Entry
from shared.kafka.consumer.handling import Done, Emit
from shared.kafka.consumer.sink import EmitUsedUp, OffsetLedger
from shared.kafka.failures import ProducerFailed, RecordRefused

_log = logging.getLogger(__name__)

_GROUP: Final = 500
"""Answers of one transaction at most."""
_PAUSE_SECONDS: Final = 0.1


@dataclass(eq=False, slots=True)
class _Delivery:
    """An answer that waits for its transaction; ``committed`` resolves with it."""

    entry: Entry
    done: Done
    committed: asyncio.Future[None]
    in_transaction: bool = False
    abandoned: bool = False
    """Its handler was cancelled: it may be in the transaction that runs, but in no further one."""
    refused: RecordRefused | None = None

    @property
    def emit(self) -> Emit:
        return self.done.emit

    def leave(self) -> None:
        """The transaction is over. What nobody waits for any more is in no further one."""
        self.in_transaction = False
        if self.abandoned:
            self.committed.cancel()

    def resolve(self, failure: Exception | None = None) -> None:
        """Committed, or failed; the first counts."""
        if self.committed.done():
            return
        if failure is None:
            self.committed.set_result(None)
        else:
            self.committed.set_exception(failure)
            # A cancelled handler no longer looks.
            self.committed.exception()


class TransactionalSink:
    """Writes answers and offsets atomically. One a runtime; ``transactional_id`` is unique to the replica.

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
        self._transaction_seconds = timeout_ms / 1_000 + CALL_SECONDS
        self._client = TransactionClient(
            client
            or confluent_kafka.Producer(
                transactional_config(bootstrap_servers, transactional_id, config, timeout_ms=timeout_ms)
            ),
            self._transaction_seconds,
        )
        self._waiting: list[_Delivery] = []
        self._woken = asyncio.Event()
        self._ledger: OffsetLedger | None = None
        self._worker: asyncio.Task[None] | None = None

    async def open(self, ledger: OffsetLedger) -> None:
        """Take over the transactional id; waits for a broker that is away. Raises ProducerFailed."""
        self._ledger = ledger
        logged = False
        while True:
            try:
                await self._client.init()
                break
            except KafkaException as error:
                if not error.args[0].retriable():
                    raise ProducerFailed(error.args[0].name()) from error
                if not logged:
                    logged = True
                    _log.warning("Waiting for the transaction coordinator", extra={"error": error.args[0].name()})
                await asyncio.sleep(_PAUSE_SECONDS)
        self._worker = asyncio.get_running_loop().create_task(self._work(ledger))

    async def deliver(self, entry: Entry, done: Done, *, at_once: bool) -> None:
        """See Sink. Returns when the transaction with this answer is committed; each transaction begins at once.

        Raises also whatever reading the answer raised, to the one whose answer it is.
        """
        if self._worker is None or self._worker.done():
            raise ProducerFailed("the transactional sink is not open")
        delivery = _Delivery(entry, done, asyncio.get_running_loop().create_future())
        self._waiting.append(delivery)
        self._woken.set()
        try:
            await asyncio.shield(delivery.committed)
        except asyncio.CancelledError:
            delivery.abandoned = True
            if delivery.in_transaction:
                # Its partition should not go to another member while this is undecided. When the broker does not
                # answer for longer than a transaction can last, it has been aborted there.
                await asyncio.wait({delivery.committed}, timeout=self._transaction_seconds)
            raise

    async def close(self) -> None:
        """End; what was not committed is aborted by the broker at the latest after the time-out."""
        if self._worker is not None:
            self._worker.cancel()
            await asyncio.wait({self._worker})
        self._client.close()

    async def _work(self, ledger: OffsetLedger) -> None:
        """Write what waits, at most _GROUP answers a transaction, until cancelled or the producer has failed for good.

        A failure is handed to every delivery that waits: whoever waits for one ends the runtime.
        """
        try:
            while True:
                await self._woken.wait()
                self._woken.clear()
                while self._waiting:
                    group, self._waiting = self._waiting[:_GROUP], self._waiting[_GROUP:]
                    await self._write_group(ledger, group)
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 - every waiting delivery raises it, which ends the runtime
            failure = error if isinstance(error, ProducerFailed) else ProducerFailed(type(error).__name__)
            failure.__cause__ = error
            for delivery in self._waiting:
                delivery.resolve(failure)
            self._waiting.clear()

    async def _write_group(self, ledger: OffsetLedger, group: list[_Delivery]) -> None:
        """Repeat until every delivery of the group is committed, has failed by itself, or is no longer ours."""
        aborts = 0
        try:
            while group := [each for each in group if not each.committed.done() and not each.abandoned]:
                for delivery in group:
                    delivery.in_transaction = True
                try:
                    written = await self._transact(ledger, group)
                except EmitFailed as failed:
                    next(each for each in group if each is failed.answer).resolve(failed.cause)
                except Aborted as aborted:
                    _log.info(
                        "A transaction of the planner is aborted; its records are handled again",
                        extra={"error": str(aborted), "outcomes": len(group)},
                    )
                    # So that the poll thread can report the generation that has begun meanwhile.
                    await asyncio.sleep(min(_PAUSE_SECONDS * 2**aborts, CALL_SECONDS))
                    aborts = min(aborts + 1, 10)
                else:
                    _after_commit(group, written)
                    continue
                for delivery in group:
                    _after_rollback(delivery)
        except ProducerFailed as failure:
            for delivery in group:
                delivery.resolve(failure)
            raise
        except asyncio.CancelledError:
            for delivery in group:
                delivery.committed.cancel()
            raise

    async def _transact(self, ledger: OffsetLedger, group: list[_Delivery]) -> Sequence[_Delivery]:
        """Those that are committed: the first of the group, as many as one transaction has room for."""
        written = await self._client.run(
            group, lambda taken: ledger.positions_with(_entries(taken)), ledger.group_metadata
        )
        ledger.finish(_entries(written))
        return written


def _entries(deliveries: Sequence[_Delivery]) -> list[Entry]:
    return [delivery.entry for delivery in deliveries]


def _after_commit(group: Sequence[_Delivery], written: Sequence[_Delivery]) -> None:
    """Answer those that are written; the others are for the next transaction."""
    for delivery in written:
        delivery.resolve()
    for delivery in group:
        delivery.leave()


def _after_rollback(delivery: _Delivery) -> None:
    """Answer those that can be in no further transaction as they are."""
    delivery.leave()
    if delivery.refused is not None:
        delivery.resolve(delivery.refused)
    elif delivery.done.read_once:
        delivery.resolve(EmitUsedUp("rolled back"))
