"""Hands records that were read to the handler: turns, a bounded number in flight, holds. On the event loop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Sequence
from typing import Final, Generic, TypeVar

from shared.clock import Clock
from shared.concurrency.outage import Outage
from shared.errors import InfrastructureAway
from shared.kafka.consumer.assigned_partitions import AssignedPartition
from shared.kafka.consumer.attempt import Attempts
from shared.kafka.consumer.dead_letter_policy import DeadLetterPolicy
from shared.kafka.consumer.due_times import backoff, due_at
from shared.kafka.consumer.entry import TO_PREPARE, Entry, Stage
from shared.kafka.consumer.fair_group_queue import FairQueue
from shared.kafka.consumer.handling import Handling
from shared.kafka.consumer.held_entries import HeldEntries
from shared.kafka.consumer.limits import RuntimeLimits
from shared.kafka.consumer.preparation import Preparation
from shared.kafka.consumer.sink import EmitUsedUp, Sink
from shared.kafka.failures import ProducerFailed
from shared.kafka.metrics import KafkaMetrics
from shared.records import Record

T = TypeVar("T")

_log = logging.getLogger(__name__)

_ANSWERS_PER_HANDLER: Final = 4
"""For each handler that may run, how many answers may wait for the broker."""


class RecordDispatcher(Generic[T]):
    """Moves entries through their stages (entry.py). Used on one event loop. ``failed`` gets an error that must end the
    runtime; ``on_finished`` gets the partition of each entry that has left.

    At most ``max_in_flight`` handlers run; a few times as many answers wait for the broker. When ``max_in_flight``
    entries are held nothing fresh is begun, so that an outage is probed by a few records instead of all.
    """

    def __init__(
        self,
        name: str,
        handling: Handling[T],
        sink: Sink,
        limits: RuntimeLimits,
        *,
        clock: Clock,
        metrics: KafkaMetrics,
        on_finished: Callable[[AssignedPartition], None],
        failed: Callable[[BaseException], None],
    ) -> None:
        self._name = name
        self._handling = handling
        self._max_in_flight = limits.max_in_flight
        self._first_backoff = limits.first_backoff_seconds
        self._clock = clock
        self._metrics = metrics
        self._on_finished = on_finished
        self._failed = failed
        self._dead_letters = DeadLetterPolicy(name, handling, metrics)
        self._attempts = Attempts(
            handling, sink, self._dead_letters, metrics.handler_seconds.labels(name), self._answered_by_handler
        )
        self._queue: FairQueue[Entry] = FairQueue(limits.group_places)
        self._outage = Outage(
            _log,
            began="Records are held until a server that they need is back",
            over="Held records are handled again",
            runtime=name,
        )
        self._preparation = Preparation(
            name,
            handling.prepare,
            first_backoff_seconds=limits.first_backoff_seconds,
            outage=self._outage,
            metrics=metrics,
            ready=self._prepared,
            failed=failed,
        )
        self._held = HeldEntries()
        self._tasks: dict[asyncio.Task[bool], Entry] = {}
        self._answered = 0
        self._timer: asyncio.TimerHandle | None = None
        self._taking = True
        # Counted when they are looked at, and not with each record.
        metrics.in_flight.labels(name).set_function(lambda: len(self._tasks))
        metrics.buffered.labels(name).set_function(lambda: len(self._queue) + len(self._preparation))
        metrics.held.labels(name).set_function(lambda: len(self._held))

    @property
    def idle(self) -> bool:
        """Whether nothing is in flight and nothing could be started now."""
        return not self._tasks and not self._preparation.busy

    def accept(self, read: Sequence[tuple[Record, AssignedPartition]]) -> None:
        """Take records that were just read."""
        if not self._taking:
            return
        for record, partition in read:
            self._enter(record, partition)
        self._preparation.start()
        self._start_handlers()

    async def drain(self, partitions: Collection[AssignedPartition], seconds: float) -> None:
        """Finish what is in flight of these (ended) partitions, drop what waits, and return when nothing of them runs.

        After ``seconds`` the handlers that still run are cancelled; those that have begun nothing (``cancel_at_once``)
        are cancelled at the beginning. What was not finished is read again by the partitions' next owner.
        """
        self._drop(lambda entry: entry.partition in partitions)
        tasks = [task for task, entry in self._tasks.items() if entry.partition in partitions]
        if (cancel_at_once := self._handling.cancel_at_once) is not None:
            for task in tasks:
                if cancel_at_once(self._tasks[task].item):
                    task.cancel()
        if tasks and seconds > 0:
            await asyncio.wait(tasks, timeout=seconds)
        late = [task for task in tasks if not task.done()]
        for task in late:
            task.cancel()
        if late:
            _log.warning(
                "Handlers outlasted their time and are cancelled; their records are handled again",
                extra={"runtime": self._name, "handlers": len(late)},
            )
            await asyncio.wait(late)

    def stop_taking(self) -> None:
        """Begin nothing more; what waits is dropped (it is not finished, so it is read again)."""
        self._taking = False
        self._drop(lambda _entry: True)
        if self._timer is not None:
            self._timer.cancel()
        self._preparation.stop()

    # Into the queue.

    def _enter(self, record: Record, partition: AssignedPartition) -> None:
        handling = self._handling
        try:
            item = handling.decode(record)
            group = handling.group_of(item)
            not_before = handling.not_before(item)
        # Whatever decoding raises is about this record alone: it must not stop its partition.
        except Exception as error:  # noqa: BLE001
            entry = Entry(record, partition, None, group=f"dead/{record.topic}")
            self._dead_letters.give_up(entry, error)
            self._queue.push(entry, entry.group)
            return
        entry = Entry(record, partition, item, group)
        due = due_at(not_before, self._clock().timestamp(), handling.longest_wait.get(record.topic))
        if handling.prepare is None:
            self._queue.push(entry, group, due)
        elif due is not None:
            entry.work = TO_PREPARE
            self._queue.push(entry, group, due)
        else:
            self._preparation.add(entry)

    def _prepared(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            if self._taking and not entry.partition.ended:
                self._queue.push(entry, entry.group)
        self._start_handlers()

    # From the queue to the handler.

    def _start_handlers(self) -> None:
        """Start what can be started, and wake up when the next one is due."""
        if not self._taking:
            return
        loop = asyncio.get_running_loop()
        while self._has_room() and (entry := self._next(loop.time())) is not None:
            self._move(entry, Stage.RUNNING)
            task = loop.create_task(self._handle(entry))
            self._tasks[task] = entry
            task.add_done_callback(self._task_ended)
        self._set_timer(loop)

    def _next(self, now: float) -> Entry | None:
        """A held entry that is due, else the queue's next, unless too many are held to begin anything fresh."""
        if (held := self._held.pop(now)) is not None:
            return held
        if len(self._held) >= self._max_in_flight:
            return None
        entry = self._queue.pop(self._clock().timestamp())
        if entry is not None:
            entry.has_place = True
        return entry

    def _has_room(self) -> bool:
        running = len(self._tasks) - self._answered
        return running < self._max_in_flight and self._answered < _ANSWERS_PER_HANDLER * self._max_in_flight

    def _set_timer(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._has_room():
            return
        waits: list[float] = []
        if (held_until := self._held.next_due()) is not None:
            waits.append(held_until - loop.time())
        due = self._queue.next_due()
        if due is not None and len(self._held) < self._max_in_flight:
            waits.append(due - self._clock().timestamp())
        if waits:
            self._timer = loop.call_later(max(0.001, min(waits)), self._start_handlers)

    # One entry.

    async def _handle(self, entry: Entry) -> bool:
        """Try until the entry is finished, dropped with its partition, or held (True). An error ends the runtime."""
        while True:
            try:
                label = await self._attempts.make(entry)
            except InfrastructureAway as away:
                return self._hold(entry, away)
            except EmitUsedUp:
                entry.answer_again()
            except ProducerFailed:
                raise
            # The edge of the handler: whatever it raises is about this record, and ends at the dead topic.
            except Exception as error:  # noqa: BLE001
                if not entry.partition.ended:
                    await self._after_failure(entry, error)
            else:
                self._metrics.handled.labels(self._name, label).inc()
                if not self._held:
                    self._outage.is_over()
                return False
            if entry.partition.ended:
                return False

    def _answered_by_handler(self, entry: Entry) -> bool:
        """Only the broker is waited for: the next may begin. Whether nothing else of its group is at hand."""
        self._move(entry, Stage.ANSWERED)
        self._give_place_back(entry)
        self._start_handlers()
        return entry.group not in self._queue

    async def _after_failure(self, entry: Entry, error: Exception) -> None:
        """Another try, or the dead topic."""
        self._move(entry, Stage.RUNNING)
        if self._dead_letters.tries_again(entry, error):
            await asyncio.sleep(backoff(entry.failures - 1, self._first_backoff))

    def _hold(self, entry: Entry, away: InfrastructureAway) -> bool:
        """Keep the entry, and its place in its group, for another time; False when its partition is gone."""
        if entry.partition.ended or not self._taking:
            return False
        self._outage.began(away=away.what)
        entry.forget_used_answer()
        self._move(entry, Stage.HELD)
        now = asyncio.get_running_loop().time()
        self._held.add(entry, now + backoff(entry.holds, self._first_backoff, away.retry_in))
        entry.holds += 1
        return True

    def _task_ended(self, task: asyncio.Task[bool]) -> None:
        entry = self._tasks.pop(task)
        held = False
        if not task.cancelled():
            if (error := task.exception()) is not None:
                self._failed(error)
            else:
                held = task.result()
        # A held entry may be running again by now.
        if not held:
            self._move(entry, Stage.FINISHED)
            self._give_place_back(entry)
            self._on_finished(entry.partition)
        self._start_handlers()

    def _move(self, entry: Entry, stage: Stage) -> None:
        self._answered += (stage is Stage.ANSWERED) - (entry.stage is Stage.ANSWERED)
        entry.stage = stage

    def _give_place_back(self, entry: Entry) -> None:
        """Let the next of the group have its turn."""
        if entry.has_place:
            entry.has_place = False
            self._queue.done(entry.group)

    def _drop(self, predicate: Callable[[Entry], bool]) -> None:
        """Forget entries that wait."""
        self._queue.drop(predicate)
        self._preparation.drop(predicate)
        for entry in self._held.drop(predicate):
            self._move(entry, Stage.FINISHED)
            self._give_place_back(entry)
