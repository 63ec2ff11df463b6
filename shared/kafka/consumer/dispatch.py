"""From records read to records handled: turns, a bounded number in flight, holds, dead letters. On the event loop."""

from __future__ import annotations

import asyncio
import heapq
import logging
from collections.abc import Callable, Collection, Sequence
from typing import Final, Generic, TypeVar

from shared.clock import Clock
from shared.errors import InfrastructureAway
from shared.kafka.consumer.due import due_at
from shared.kafka.consumer.failure_policy import GivingUp
from shared.kafka.consumer.fair_queue import FairQueue
from shared.kafka.consumer.handling import Handling, backoff
from shared.kafka.consumer.outcome import read_once
from shared.kafka.consumer.partitions import Holding
from shared.kafka.consumer.preparation import Outage, Preparation
from shared.kafka.consumer.sinks import EmitUsedUp, Entry, Sink
from shared.kafka.metrics import KafkaMetrics
from shared.kafka.producer import ProducerFailed
from shared.kafka.records import Record

T = TypeVar("T")

_log = logging.getLogger(__name__)

_ANSWERED: Final = 4
"""So many times as many outcomes may wait for the broker as handlers may run."""


class Dispatcher(Generic[T]):
    """Hands entries to the handler. ``failed`` is told what must end the runtime.

    At most ``max_in_flight`` handlers run; a few times as many outcomes wait for the broker. When ``max_in_flight``
    entries are held nothing fresh is begun, so that an outage is probed by a few records instead of all.
    """

    def __init__(
        self,
        name: str,
        handling: Handling[T],
        sink: Sink,
        *,
        max_in_flight: int,
        per_group: int,
        first_backoff_seconds: float,
        clock: Clock,
        metrics: KafkaMetrics,
        on_finished: Callable[[Holding], None],
        failed: Callable[[BaseException], None],
    ) -> None:
        self._name = name
        self._handling = handling
        self._sink = sink
        self._max_in_flight = max_in_flight
        self._first_backoff = first_backoff_seconds
        self._clock = clock
        self._metrics = metrics
        self._on_finished = on_finished
        self._failed = failed
        # Looked up once: these are set for each record.
        self._in_flight = metrics.in_flight.labels(name)
        self._buffered = metrics.buffered.labels(name)
        self._held_count = metrics.held.labels(name)
        self._handler_seconds = metrics.handler_seconds.labels(name)
        self._giving_up = GivingUp(name, handling, metrics)
        self._queue: FairQueue[Entry] = FairQueue(per_group)
        self._outage = Outage(name)
        self._preparation = Preparation(
            name,
            handling.prepare,
            first_backoff_seconds=first_backoff_seconds,
            outage=self._outage,
            metrics=metrics,
            ready=self._prepared,
            failed=failed,
        )
        self._held: list[tuple[float, int, Entry]] = []
        self._holds = 0
        self._tasks: dict[asyncio.Task[bool], Entry] = {}
        self._answered = 0
        self._timer: asyncio.TimerHandle | None = None
        self._taking = True

    @property
    def idle(self) -> bool:
        """Whether nothing is in flight and nothing could be started now."""
        return not self._tasks and not self._preparation.busy

    def accept(self, read: Sequence[tuple[Record, Holding]]) -> None:
        """Take records that were just read."""
        if not self._taking:
            return
        for record, holding in read:
            self._enter(record, holding)
        self._preparation.start()
        self._pump()

    async def drain(self, holdings: Collection[Holding], seconds: float) -> None:
        """Finish what is in flight of these (ended) holdings; after ``seconds`` cancel it. The rest is dropped."""
        self._drop(holdings)
        tasks = [task for task, entry in self._tasks.items() if entry.holding in holdings]
        for task in tasks:
            if (idle := self._handling.idle) is not None and idle(self._tasks[task].item):
                task.cancel()
        if tasks and seconds > 0:
            await asyncio.wait(tasks, timeout=seconds)
        late = [task for task in tasks if not task.done()]
        for task in late:
            task.cancel()
        if late:
            _log.warning("handlers cancelled", extra={"runtime": self._name, "handlers": len(late)})
            await asyncio.wait(late)

    def stop_taking(self) -> None:
        """Begin nothing more; what waits is dropped (it was not finished, so it is read again)."""
        self._taking = False
        self._drop(None)
        if self._timer is not None:
            self._timer.cancel()
        self._preparation.stop()

    def _enter(self, record: Record, holding: Holding) -> None:
        handling = self._handling
        try:
            item = handling.decode(record)
            group = handling.group_of(item)
            due = handling.not_before(item)
        # Whatever decoding raises is about this record alone: it must not stop its partition.
        except Exception as error:  # noqa: BLE001
            entry = Entry(record, holding, None, group=f"dead/{record.topic}")
            self._giving_up.bury(entry, error)
            self._queue.push(entry, entry.group)
            return
        entry = Entry(record, holding, item, group)
        due = due_at(due, self._clock().timestamp(), handling.longest_wait.get(record.topic))
        if handling.prepare is None:
            self._queue.push(entry, group, due)
        elif due is not None:
            # What the database says now may be old when it is due: it is asked then, for this one.
            entry.prepared = False
            self._queue.push(entry, group, due)
        else:
            self._preparation.add(entry)

    def _prepared(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            if self._taking and not entry.holding.ended:
                self._queue.push(entry, entry.group)
        self._pump()

    def _pump(self) -> None:
        """Start what can be started, and wake up when the next one is due."""
        if not self._taking:
            return
        loop = asyncio.get_running_loop()
        while self._has_room():
            if self._held and self._held[0][0] <= loop.time():
                entry: Entry | None = heapq.heappop(self._held)[2]
            elif len(self._held) >= self._max_in_flight:
                break
            else:
                entry = self._queue.pop(self._clock().timestamp())
                if entry is not None:
                    entry.placed = True
            if entry is None:
                break
            task = loop.create_task(self._handle(entry))
            self._tasks[task] = entry
            task.add_done_callback(self._ended)
        self._set_timer(loop)
        self._in_flight.set(len(self._tasks))
        self._buffered.set(len(self._queue) + len(self._preparation))
        self._held_count.set(len(self._held))

    def _has_room(self) -> bool:
        running = len(self._tasks) - self._answered
        return running < self._max_in_flight and self._answered < _ANSWERED * self._max_in_flight

    def _set_timer(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._has_room():
            return
        waits = [self._held[0][0] - loop.time()] if self._held else []
        due = self._queue.next_due()
        if due is not None and len(self._held) < self._max_in_flight:
            waits.append(due - self._clock().timestamp())
        if waits:
            self._timer = loop.call_later(max(0.001, min(waits)), self._pump)

    def _ended(self, task: asyncio.Task[bool]) -> None:
        entry = self._tasks.pop(task)
        self._set_answered(entry, False)
        held = False
        if not task.cancelled():
            if (error := task.exception()) is not None:
                self._failed(error)
            else:
                held = task.result()
        if not held:
            self._give_place_back(entry)
            self._on_finished(entry.holding)
        self._pump()

    async def _handle(self, entry: Entry) -> bool:
        """Until the entry is finished, dropped with its partition or (True) held. What is raised ends the runtime."""
        while True:
            try:
                await self._attempt(entry)
            except InfrastructureAway as away:
                return self._hold(entry, away)
            except EmitUsedUp:
                entry.outcome = None
            except ProducerFailed:
                raise
            # The edge of the handler: whatever it raises is about this record, and ends at the dead topic.
            except Exception as error:  # noqa: BLE001
                if not entry.holding.ended:
                    await self._after_failure(entry, error)
            else:
                self._metrics.handled.labels(self._name, entry.label).inc()
                if not self._held:
                    self._outage.is_over()
                return False
            if entry.holding.ended:
                return False

    async def _attempt(self, entry: Entry) -> None:
        if entry.letter is not None and entry.outcome is None:
            entry.outcome = await self._giving_up.outcome(entry)
        if not entry.prepared and entry.letter is None and self._handling.prepare is not None:
            (early,) = await self._handling.prepare([entry.item])
            entry.prepared = True
            if early is not None:
                entry.outcome, entry.label = early, "skipped"
        if entry.outcome is None:
            with self._handler_seconds.time():
                entry.outcome = await self._handling.handler(entry.item)
        if not read_once(entry.outcome.emit):
            # What is left is the broker's part. An outcome that may have to be made anew keeps its places.
            self._set_answered(entry, True)
            self._give_place_back(entry)
            self._pump()
            entry.last = entry.group not in self._queue
        await self._sink.deliver(entry, entry.outcome.emit)

    def _set_answered(self, entry: Entry, answered: bool) -> None:
        """Whether the entry's handler has answered, and the next may begin while the broker takes what it said."""
        self._answered += answered - entry.answered
        entry.answered = answered

    def _give_place_back(self, entry: Entry) -> None:
        """The next of the group may have its turn."""
        if entry.placed:
            entry.placed = False
            self._queue.done(entry.group)

    async def _after_failure(self, entry: Entry, error: Exception) -> None:
        """Another try, or the dead topic."""
        self._set_answered(entry, False)
        if self._giving_up.failed(entry, error):
            await asyncio.sleep(backoff(entry.failures - 1, self._first_backoff))

    def _hold(self, entry: Entry, away: InfrastructureAway) -> bool:
        """Keep the entry, and its place in its group, for another time; False when its partition is no longer here."""
        if entry.holding.ended or not self._taking:
            return False
        self._outage.began(away)
        if entry.outcome is not None and read_once(entry.outcome.emit):
            entry.outcome = None
        self._holds += 1
        due = asyncio.get_running_loop().time() + backoff(entry.holds, self._first_backoff, away.retry_in)
        entry.holds += 1
        heapq.heappush(self._held, (due, self._holds, entry))
        return True

    def _drop(self, holdings: Collection[Holding] | None) -> None:
        def dropped(entry: Entry) -> bool:
            return holdings is None or entry.holding in holdings

        self._queue.drop(dropped)
        self._preparation.drop(dropped)
        for _, _, entry in self._held:
            if dropped(entry):
                self._give_place_back(entry)
        self._held = [held for held in self._held if not dropped(held[2])]
        heapq.heapify(self._held)
