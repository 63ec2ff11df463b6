"""The consumer runtime of planner, fetcher and notifier: one poll thread, handlers on the event loop, nothing lost.

What is promised (docs/adr/0004-consumer-runtime.md):

- a committed offset never passes a record that is not finished; a record is finished when what its handler
  answered is acknowledged by the broker;
- a record finished out of order is not handled again after a crash or a rebalance (offsets.py);
- a partition is given up after its handlers have ended, or were cancelled at the deadline;
- a record that can never be handled goes to the dead topic; one whose surroundings are away is held.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, Generic, TypeVar

from shared.clock import Clock, utc_now
from shared.kafka.consumer.client import ConsumerFactory, kafka_consumer
from shared.kafka.consumer.dispatch import Dispatcher
from shared.kafka.consumer.handling import Handling, always_due, every_item_alike
from shared.kafka.consumer.outcome import Done, Emit, Outcome
from shared.kafka.consumer.partitions import Holding, Holdings, Key, Position, last_positions
from shared.kafka.consumer.poll import PollThread
from shared.kafka.consumer.sinks import Entry, Sink
from shared.kafka.metrics import KafkaMetrics
from shared.kafka.records import OutgoingRecord, Record

__all__ = ["ConsumerRuntime", "Done", "Emit", "Outcome", "kafka_consumer"]

T = TypeVar("T")

_log = logging.getLogger(__name__)

_CLOSE_SECONDS: Final = 5.0


class ConsumerRuntime(Generic[T]):
    """Reads ``topics`` and handles each record at least once (exactly once in effect with a TransactionalSink).

    ``handler`` gets a decoded item. It may raise PoisonRecord (to the dead topic), InfrastructureAway (held and
    tried again for as long as it takes), anything else (tried three times more, then to the dead topic).
    ``group_of`` names the group that an item is served in turn with, ``per_group`` the most of one group at once.
    ``not_before`` gives epoch seconds before which the handler is not called. ``prepare`` sees the items of a batch
    just decoded and may answer an outcome for some: the handler is then not called for them. ``ends`` makes what is
    written beside the dead letter of a record that is given up, from the record as it came, so that nothing waits for
    it for ever; it may raise InfrastructureAway. ``longest_wait`` tells by topic how many seconds a record can have to
    wait there for its ``not_before``; one that says more is handled at once (due.py). ``idle`` tells of an item whose
    handler runs that nothing of it is under way: it is not waited for when its partition goes.

    ``max_buffered_per_partition``: how many records are read ahead before the partition is paused.
    ``drain_seconds``: how long handlers of a revoked partition may go on before they are cancelled;
    ``shutdown_seconds``: the same after ``stop``. ``loop_seconds``: how long the event loop may be busy before
    the poll thread leaves the group, so that another member can take over. ``transaction_seconds``: how long a
    transaction with this group's offsets can be open at most: its time-out and the broker's look for late ones.
    """

    def __init__(
        self,
        name: str,
        *,
        consumer: ConsumerFactory,
        topics: Sequence[str],
        decode: Callable[[Record], T],
        handler: Callable[[T], Awaitable[Outcome]],
        dead: Callable[[Record, Exception], OutgoingRecord],
        sink: Sink,
        group_of: Callable[[T], str] = every_item_alike,
        not_before: Callable[[T], float | None] = always_due,
        prepare: Callable[[Sequence[T]], Awaitable[Sequence[Outcome | None]]] | None = None,
        ends: Callable[[Record, Exception], Awaitable[Sequence[OutgoingRecord]]] | None = None,
        longest_wait: Mapping[str, float] | None = None,
        idle: Callable[[T], bool] | None = None,
        max_in_flight: int = 32,
        per_group: int | None = None,
        max_buffered_per_partition: int = 1_000,
        first_backoff_seconds: float = 0.1,
        commit_seconds: float = 0.5,
        drain_seconds: float = 10.0,
        shutdown_seconds: float = 20.0,
        poll_seconds: float = 0.1,
        loop_seconds: float = 60.0,
        transaction_seconds: float = 30.0,
        clock: Clock = utc_now,
        metrics: KafkaMetrics | None = None,
    ) -> None:
        self._name = name
        self._consumer = consumer
        self._topics = topics
        self._sink = sink
        self._commit_seconds = commit_seconds
        self._drain_seconds = drain_seconds
        self._shutdown_seconds = shutdown_seconds
        self._poll_seconds = poll_seconds
        self._loop_seconds = loop_seconds
        self._transaction_seconds = transaction_seconds
        self._metrics = metrics or KafkaMetrics()
        self._batch = max_buffered_per_partition
        self._holdings = Holdings(max_buffered_per_partition)
        self._dispatcher = Dispatcher(
            name,
            Handling(decode, handler, dead, group_of, not_before, prepare, ends, longest_wait or {}, idle),
            sink,
            max_in_flight=max_in_flight,
            per_group=per_group or max_in_flight,
            first_backoff_seconds=first_backoff_seconds,
            clock=clock,
            metrics=self._metrics,
            on_finished=self._on_finished,
            failed=self._fail,
        )
        self._group_metadata: Any = None
        self._thread: PollThread | None = None
        self._failed: asyncio.Future[None] | None = None
        self._stop = asyncio.Event()
        self._commit_timer: asyncio.TimerHandle | None = None
        self._commit_unanswered = False
        self._commits_refused = False

    @property
    def assignment(self) -> list[Key]:
        """The partitions held now."""
        return [holding.key for holding in self._holdings.all()]

    def stop(self) -> None:
        """Begin the orderly end; ``run`` returns when it is over. From the event loop."""
        self._stop.set()
        self._dispatcher.stop_taking()

    async def run(self) -> None:
        """Read and handle until ``stop``; once. Raises what makes going on impossible, after an orderly release."""
        loop = asyncio.get_running_loop()
        self._failed = loop.create_future()
        stopping = loop.create_task(self._stop.wait())
        opening = loop.create_task(self._sink.open(self))
        try:
            await asyncio.wait({stopping, opening}, return_when=asyncio.FIRST_COMPLETED)
            if opening.done():
                opening.result()
                await self._read_until(stopping)
        finally:
            stopping.cancel()
            opening.cancel()
            await self._sink.close()
            failure = self._failed.exception() if self._failed.done() else None
        if failure is not None:
            raise failure

    async def _read_until(self, stopping: asyncio.Task[Any]) -> None:
        assert self._failed is not None
        self._thread = thread = PollThread(
            self._name,
            self._consumer,
            self._topics,
            self,
            batch=self._batch,
            poll_seconds=self._poll_seconds,
            loop_seconds=self._loop_seconds,
            transaction_seconds=self._transaction_seconds,
            tell_generation=self._sink.commits_offsets,
        )
        thread.start()
        self._plan_commit()
        grace = 0.0
        try:
            await asyncio.wait({stopping, thread.ended, self._failed}, return_when=asyncio.FIRST_COMPLETED)
            grace = 0.0 if thread.ended.done() or self._failed.done() else self._shutdown_seconds
        finally:
            # Also when this task is cancelled: then at once, but nothing that runs is left behind.
            await asyncio.shield(self._finish(thread, grace))

    async def _finish(self, thread: PollThread, grace: float) -> None:
        """Take nothing more, give what is in flight ``grace`` seconds, commit, leave the group."""
        self._dispatcher.stop_taking()
        if self._commit_timer is not None:
            self._commit_timer.cancel()
        holdings = self._holdings.all()
        await self._dispatcher.drain(holdings, grace)
        thread.stop(() if self._sink.commits_offsets else last_positions(self._holdings.all()))
        await asyncio.wait({thread.ended}, timeout=_CLOSE_SECONDS)
        if not thread.ended.done():
            _log.warning("the consumer does not close, left behind", extra={"runtime": self._name})
        elif (error := thread.ended.exception()) is not None:
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        if self._failed is not None and not self._failed.done():
            self._failed.set_exception(error)

    # What the poll thread tells (Inbox).

    def assigned(self, starts: Sequence[Position]) -> None:
        """Partitions have come, with what is committed for them."""
        for start in starts:
            self._holdings.assign(start)
        self._metrics.partitions.labels(self._name).set(len(self._holdings.all()))

    def read(self, records: Sequence[Record], group_metadata: Any) -> None:
        """Records were read. Raises OffsetsWentBack."""
        self._group_metadata = group_metadata
        if not records or self._stop.is_set():
            return
        fresh = [(record, holding) for record in records if (holding := self._holdings.accept(record)) is not None]
        self._dispatcher.accept(fresh)
        if self._thread is not None:
            self._thread.pause(self._holdings.newly_full())
        self._count_paused()

    async def ending(self, keys: Sequence[Key], *, lost: bool) -> Sequence[Position]:
        """Partitions go: end what is in flight of them; the answer is what to commit before they are gone."""
        holdings = self._holdings.end(keys)
        self._metrics.partitions.labels(self._name).set(len(self._holdings.all()))
        self._metrics.partitions_ended.labels(self._name, "lost" if lost else "revoked").inc(len(holdings))
        await self._dispatcher.drain(holdings, 0.0 if lost else self._drain_seconds)
        if lost or self._sink.commits_offsets:
            return ()
        return last_positions(holdings)

    def commit_answered(self, keys: Sequence[Key], error: str | None) -> None:
        """A commit was taken, or refused for these partitions; those are committed again."""
        self._commit_unanswered = False
        if error is not None:
            self._holdings.refused(keys)
            self._metrics.commit_failures.labels(self._name).inc()
            if not self._commits_refused:
                _log.warning("commits are refused", extra={"runtime": self._name, "error": error})
        self._commits_refused = error is not None

    def measured(self, ends: dict[Key, int]) -> None:
        """The ends of the partitions, as last heard from the broker."""
        lag: dict[str, int] = dict.fromkeys(self._topics, 0)
        for holding in self._holdings.all():
            position = holding.position()
            if position is not None and holding.key in ends:
                lag[position.topic] += max(0, ends[holding.key] - position.offset)
        for topic, behind in lag.items():
            self._metrics.lag.labels(self._name, topic).set(behind)

    # What the sink asks (Ledger).

    def positions_with(self, entries: Sequence[Entry]) -> list[Position]:
        """What is to be committed when these entries are finished too."""
        by_holding: dict[Holding, list[int]] = {}
        for entry in entries:
            by_holding.setdefault(entry.holding, []).append(entry.record.offset)
        positions = [holding.position(also=offsets) for holding, offsets in by_holding.items()]
        return [position for position in positions if position is not None]

    def finish(self, entries: Sequence[Entry]) -> None:
        """These entries are finished."""
        for entry in entries:
            entry.holding.finish(entry.record.offset)

    def group_metadata(self) -> Any:
        """The consumer's group metadata as of its last poll."""
        return self._group_metadata

    def _on_finished(self, holding: Holding) -> None:
        if self._thread is None:
            return
        if self._holdings.newly_open(holding):
            self._thread.resume([holding.key])
            self._count_paused()
        if self._dispatcher.idle and not self._commit_unanswered:
            self._commit()

    def _plan_commit(self) -> None:
        self._commit()
        self._commit_timer = asyncio.get_running_loop().call_later(self._commit_seconds, self._plan_commit)

    def _commit(self) -> None:
        if self._sink.commits_offsets or self._thread is None:
            return
        if positions := self._holdings.uncommitted():
            self._commit_unanswered = True
            self._thread.commit(positions)

    def _count_paused(self) -> None:
        self._metrics.paused.labels(self._name).set(sum(holding.paused for holding in self._holdings.all()))
