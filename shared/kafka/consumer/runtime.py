"""The consumer runtime of planner, fetcher and notifier: one poll thread, handlers on the event loop, nothing lost.

Its contract (docs/adr/0004-consumer-runtime.md):

- a committed offset never passes a record that is not finished; a record is finished when the broker has acknowledged
  what its handler answered;
- a record finished out of order is not handled again after a crash or a rebalance (committable_offsets.py);
- a revoked partition goes to another member after its handlers have ended, or were cancelled at the deadline;
- a record that can never be handled goes to the dead topic; one that needs a server that is away is held.

The way of a record: poll_thread.py reads it, record_dispatcher.py queues it and starts its handler, attempt.py tries
it, the sink writes the answer, and assigned_partitions.py says what to commit.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any, Final, Generic, TypeVar

from shared.clock import Clock, utc_now
from shared.kafka.consumer.assigned_partitions import (
    AssignedPartition,
    AssignedPartitions,
    Key,
    Position,
    last_positions,
)
from shared.kafka.consumer.client import ConsumerFactory
from shared.kafka.consumer.entry import Entry
from shared.kafka.consumer.handling import Handling
from shared.kafka.consumer.limits import RuntimeLimits
from shared.kafka.consumer.poll_thread import PollThread
from shared.kafka.consumer.record_dispatcher import RecordDispatcher
from shared.kafka.consumer.sink import Sink
from shared.kafka.metrics import KafkaMetrics
from shared.records import Record

T = TypeVar("T")

_log = logging.getLogger(__name__)

_CLOSE_SECONDS: Final = 5.0


class ConsumerRuntime(Generic[T]):
    """Reads ``topics`` and handles each record at least once (exactly once in effect with a TransactionalSink).

    ``run`` works until ``stop`` is called, finishes what is in flight, commits and leaves the group. It raises what
    makes going on impossible (a fenced producer, a forbidden topic, offsets that went back): the process then ends
    and its supervisor starts it again. ``name`` is the label of its metrics and log lines.
    """

    def __init__(
        self,
        name: str,
        *,
        consumer: ConsumerFactory,
        topics: Sequence[str],
        handling: Handling[T],
        sink: Sink,
        limits: RuntimeLimits | None = None,
        clock: Clock = utc_now,
        metrics: KafkaMetrics | None = None,
    ) -> None:
        self._name = name
        self._consumer = consumer
        self._topics = topics
        self._sink = sink
        self._limits = limits or RuntimeLimits()
        self._metrics = metrics or KafkaMetrics()
        self._metrics.begin(name, topics)
        self._partitions = AssignedPartitions(self._limits.max_buffered_per_partition)
        self._dispatcher = RecordDispatcher(
            name,
            handling,
            sink,
            self._limits,
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
        """The partitions of this member now."""
        return [partition.key for partition in self._partitions.all()]

    def stop(self) -> None:
        """Begin the orderly end; ``run`` returns when it is over. From the event loop."""
        self._stop.set()
        self._dispatcher.stop_taking()

    async def run(self) -> None:
        """Read and handle until ``stop``; once.

        After ``stop`` handlers have ``shutdown_seconds`` to end; then what is finished is committed and the group is
        left. Cancelling ends it at once, but orderly too.

        Raises:
            ConsumerFailed: a fatal error of the client, or the group or a topic is forbidden.
            OffsetsWentBack: a topic was made anew under our feet.
            ProducerFailed: the producer was fenced, or its sequence is broken.
            LoopGone: the event loop did not answer the poll thread for ``loop_seconds``.
        """
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
            self._limits,
            report_generation=self._sink.commits_offsets,
        )
        thread.start()
        self._metrics.heartbeat.labels(self._name).set_function(thread.silence)
        self._plan_commit()
        grace = 0.0
        try:
            await asyncio.wait({stopping, thread.ended, self._failed}, return_when=asyncio.FIRST_COMPLETED)
            grace = 0.0 if thread.ended.done() or self._failed.done() else self._limits.shutdown_seconds
        finally:
            self._metrics.heartbeat.remove(self._name)
            # Also when this task is cancelled: then at once, but nothing that runs is left behind.
            await asyncio.shield(self._finish(thread, grace))

    async def _finish(self, thread: PollThread, grace: float) -> None:
        """Take nothing more, give what is in flight ``grace`` seconds, commit, leave the group."""
        self._dispatcher.stop_taking()
        if self._commit_timer is not None:
            self._commit_timer.cancel()
        await self._dispatcher.drain(self._partitions.all(), grace)
        thread.stop(() if self._sink.commits_offsets else last_positions(self._partitions.all()))
        await asyncio.wait({thread.ended}, timeout=_CLOSE_SECONDS)
        if not thread.ended.done():
            _log.warning(
                "The Kafka consumer did not close in time and is abandoned; its partitions move when its session ends",
                extra={"runtime": self._name},
            )
        elif (error := thread.ended.exception()) is not None:
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        if self._failed is not None and not self._failed.done():
            self._failed.set_exception(error)

    # What the poll thread reports (inbox.py).

    def assigned(self, starts: Sequence[Position]) -> None:
        for start in starts:
            self._partitions.assign(start)
        self._metrics.partitions.labels(self._name).set(len(self._partitions.all()))

    def read(self, records: Sequence[Record], group_metadata: Any) -> None:
        self._group_metadata = group_metadata
        if not records or self._stop.is_set():
            return
        fresh = [(record, found) for record in records if (found := self._partitions.accept(record)) is not None]
        self._dispatcher.accept(fresh)
        if self._thread is not None:
            self._thread.pause(self._partitions.newly_full())
        self._count_paused()

    async def ending(self, keys: Sequence[Key], *, lost: bool) -> Sequence[Position]:
        partitions = self._partitions.end(keys)
        self._metrics.partitions.labels(self._name).set(len(self._partitions.all()))
        self._metrics.partitions_ended.labels(self._name, "lost" if lost else "revoked").inc(len(partitions))
        await self._dispatcher.drain(partitions, 0.0 if lost else self._limits.drain_seconds)
        if lost or self._sink.commits_offsets:
            return ()
        return last_positions(partitions)

    def commit_answered(self, refused: Sequence[Key], error: str | None) -> None:
        self._commit_unanswered = False
        if error is not None:
            self._partitions.refused(refused)
            self._metrics.commit_failures.labels(self._name).inc()
            if not self._commits_refused:
                _log.warning(
                    "Offset commit refused by the broker; retrying",
                    extra={"runtime": self._name, "error": error},
                )
        self._commits_refused = error is not None

    def measured(self, ends: dict[Key, int]) -> None:
        lag: dict[str, int] = dict.fromkeys(self._topics, 0)
        for partition in self._partitions.all():
            position = partition.position()
            if position is not None and partition.key in ends:
                lag[position.topic] += max(0, ends[partition.key] - position.offset)
        for topic, behind in lag.items():
            self._metrics.lag.labels(self._name, topic).set(behind)

    # What the sink asks (OffsetLedger in sink.py).

    def positions_with(self, entries: Sequence[Entry]) -> list[Position]:
        by_partition: dict[AssignedPartition, list[int]] = {}
        for entry in entries:
            by_partition.setdefault(entry.partition, []).append(entry.record.offset)
        positions = [partition.position(also=offsets) for partition, offsets in by_partition.items()]
        return [position for position in positions if position is not None]

    def finish(self, entries: Sequence[Entry]) -> None:
        """Mark entries as finished; the next commit may include them."""
        for entry in entries:
            entry.partition.finish(entry.record.offset)

    def group_metadata(self) -> Any:
        """The group's generation as of the last poll; None before the first."""
        return self._group_metadata

    # Commits.

    def _on_finished(self, partition: AssignedPartition) -> None:
        if self._thread is None:
            return
        if self._partitions.newly_open(partition):
            self._thread.resume([partition.key])
            self._count_paused()
        if self._dispatcher.idle and not self._commit_unanswered:
            self._commit()

    def _plan_commit(self) -> None:
        self._commit()
        self._commit_timer = asyncio.get_running_loop().call_later(self._limits.commit_seconds, self._plan_commit)

    def _commit(self) -> None:
        if self._sink.commits_offsets or self._thread is None:
            return
        if positions := self._partitions.uncommitted():
            self._commit_unanswered = True
            self._thread.commit(positions)

    def _count_paused(self) -> None:
        self._metrics.paused.labels(self._name).set(sum(partition.paused for partition in self._partitions.all()))
