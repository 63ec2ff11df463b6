"""The poll thread: it alone touches the consumer, and waits for handlers only when a partition is revoked."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
import threading
import time
from collections.abc import Callable, Collection, Sequence
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from shared.kafka.consumer.assigned_partitions import Key, Position
from shared.kafka.consumer.client import FORBIDDEN, ConsumerClient, ConsumerFactory, ConsumerFailed, record_of
from shared.kafka.consumer.commits import AsyncCommits
from shared.kafka.consumer.inbox import Inbox
from shared.kafka.consumer.limits import RuntimeLimits
from shared.kafka.consumer.loop_calls import LoopCalls
from shared.kafka.consumer.rebalance import Rebalance
from shared.records import Record

_log = logging.getLogger(__name__)

_BATCH: Final = 500
_LAG_EVERY_SECONDS: Final = 5.0
_REPORT_EVERY_SECONDS: Final = 1.0
"""How often an empty poll is reported to the event loop: it shows whether the loop still answers."""
_CLOSE_COMMIT_SECONDS: Final = 2.0


class PollThread:
    """Runs a consumer until ``stop``. ``ended`` resolves on the event loop when the consumer is closed.

    The runtime gives orders (pause, resume, commit) through a queue; the thread obeys them before each poll and reports
    to the inbox. An order for a partition that is gone is dropped. ``ended`` carries what ended the thread early:
    ConsumerFailed, LoopGone, OffsetsWentBack.

    ``report_generation``: whether the inbox gets the group's metadata as of each poll, which costs a question to the
    client's own thread. Create it on the event loop.
    """

    def __init__(
        self,
        name: str,
        factory: ConsumerFactory,
        topics: Sequence[str],
        inbox: Inbox,
        limits: RuntimeLimits,
        *,
        report_generation: bool,
    ) -> None:
        self._name = name
        self._factory = factory
        self._topics = list(topics)
        self._inbox = inbox
        # At most so many records between two looks at the orders, so a bound is exceeded by no more than that.
        self._batch = min(limits.max_buffered_per_partition, _BATCH)
        self._poll_seconds = limits.poll_seconds
        self._report_generation = report_generation
        self._event_loop = asyncio.get_running_loop()
        self._loop = LoopCalls(self._event_loop, limits.loop_seconds)
        self.ended: asyncio.Future[None] = self._event_loop.create_future()
        self._orders: queue.SimpleQueue[Callable[[ConsumerClient], None]] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._rebalance = Rebalance(
            name,
            self._loop,
            inbox,
            limits,
            stopping=self._stopping,
            report_poll=lambda consumer: self._report(consumer, []),
            commit_refused=self._commit_answered,
            alive=self._mark_alive,
            forget=self._forget,
        )
        self._commits = AsyncCommits(self._rebalance.assigned, self._commit_answered)
        self._last: Sequence[Position] = ()
        self._refused: set[Key] = set()
        self._records: list[Record] = []
        """What was polled and is not reported yet."""
        self._logged_errors: set[int] = set()
        self._read_to: dict[Key, int] = {}
        self._ended_at: dict[Key, int] = {}
        self._lag_at = 0.0
        self._report_at = 0.0
        self._alive_at = time.monotonic()
        self._thread = threading.Thread(target=self._run, name=f"kafka-{name}", daemon=True)

    # Orders, from the event loop.

    def start(self) -> None:
        """Begin to read. Call once."""
        self._thread.start()

    def stop(self, last: Sequence[Position] = ()) -> None:
        """Commit ``last``, leave the group, end."""
        self._last = last
        self.commit(last)
        self._stopping.set()

    def silence(self) -> float:
        """Seconds since the thread last polled, or went round in a wait. From any thread."""
        return time.monotonic() - self._alive_at

    def pause(self, keys: Sequence[Key]) -> None:
        """Order: read nothing more of these partitions. What was prefetched of them is thrown away and read again
        later.
        """
        self._order(keys, lambda consumer, partitions: consumer.pause(partitions))

    def resume(self, keys: Sequence[Key]) -> None:
        """Order: read these partitions again."""
        self._order(keys, lambda consumer, partitions: consumer.resume(partitions))

    def commit(self, positions: Sequence[Position]) -> None:
        """Commit without waiting; the answer comes to the inbox."""
        if positions:
            self._orders.put(lambda consumer: self._commits.commit(consumer, positions))

    def _order(self, keys: Sequence[Key], verb: Callable[[ConsumerClient, list[TopicPartition]], None]) -> None:
        def order(consumer: ConsumerClient) -> None:
            partitions = [TopicPartition(*key) for key in keys if key in self._rebalance.assigned]
            if partitions:
                verb(consumer, partitions)

        if keys:
            self._orders.put(order)

    # From here on: in the poll thread.

    def _run(self) -> None:
        failure: BaseException | None = None
        consumer: ConsumerClient | None = None
        try:
            consumer = self._factory(self._commits.on_commit)
            rebalance = self._rebalance
            consumer.subscribe(
                self._topics, on_assign=rebalance.on_assign, on_revoke=rebalance.on_revoke, on_lost=rebalance.on_lost
            )
            while not self._stopping.is_set():
                self._cycle(consumer)
        except BaseException as error:  # noqa: BLE001 - handed to the event loop, which ends the runtime with it
            failure = error
        if consumer is not None:
            try:
                self._close(consumer, orderly=failure is None)
            except BaseException as error:  # noqa: BLE001
                failure = failure or error
        with contextlib.suppress(RuntimeError):
            self._event_loop.call_soon_threadsafe(self._resolve_ended, failure)

    def _resolve_ended(self, failure: BaseException | None) -> None:
        if self.ended.done():
            return
        if failure is None:
            self.ended.set_result(None)
        else:
            self.ended.set_exception(failure)

    def _cycle(self, consumer: ConsumerClient) -> None:
        """Obey the orders, poll until a batch is full or nothing is at hand, report it."""
        self._obey(consumer)
        self._records = records = []
        message = consumer.poll(self._poll_seconds)
        while message is not None:
            if (error := message.error()) is not None:
                self._on_error(error, message)
            elif (key := (message.topic(), message.partition())) in self._rebalance.assigned:
                self._read_to[key] = message.offset() + 1
                records.append(record_of(message))
            message = consumer.poll(0) if len(records) < self._batch else None
        self._mark_alive()
        now = time.monotonic()
        if records or self._report_generation or now >= self._report_at:
            self._report_at = now + _REPORT_EVERY_SECONDS
            self._report(consumer, records)
        if now >= self._lag_at:
            self._lag_at = now + _LAG_EVERY_SECONDS
            self._measure(consumer)

    def _forget(self, consumer: ConsumerClient, keys: Collection[Key]) -> None:
        """Partitions have ended: obey while they are gone, so that no order for them is left, and drop what was read.

        Whoever gets them next reads it again, from what was committed.
        """
        self._obey(consumer)
        self._records[:] = [record for record in self._records if (record.topic, record.partition) not in keys]

    def _mark_alive(self) -> None:
        self._alive_at = time.monotonic()

    def _obey(self, consumer: ConsumerClient) -> None:
        while True:
            try:
                order = self._orders.get_nowait()
            except queue.Empty:
                return
            order(consumer)

    def _report(self, consumer: ConsumerClient, records: Sequence[Record]) -> None:
        generation = consumer.consumer_group_metadata() if self._report_generation else None
        self._loop.call(self._inbox.read, records, generation)

    def _commit_answered(self, refused: Sequence[Key], error: str | None) -> None:
        self._refused.update(refused)
        if not self._rebalance.closing:
            self._loop.call(self._inbox.commit_answered, refused, error)

    def _on_error(self, error: KafkaError, message: Any) -> None:
        if error.code() == KafkaError._PARTITION_EOF:
            self._ended_at[message.topic(), message.partition()] = message.offset()
            return
        if error.fatal() or error.code() in FORBIDDEN:
            raise ConsumerFailed(error.name())
        if error.code() not in self._logged_errors:
            self._logged_errors.add(error.code())
            _log.warning("Kafka consumer error; continuing", extra={"runtime": self._name, "error": error.name()})

    def _measure(self, consumer: ConsumerClient) -> None:
        ends: dict[Key, int] = {}
        for key in self._rebalance.assigned:
            with contextlib.suppress(KafkaException):
                watermarks = consumer.get_watermark_offsets(TopicPartition(*key), timeout=1.0, cached=True)
                if watermarks is not None and watermarks[1] >= 0:
                    # Read to its end: what lies behind the last record are markers of transactions.
                    at_end = self._ended_at.get(key) == watermarks[1]
                    ends[key] = self._read_to.get(key, 0) if at_end else watermarks[1]
        self._loop.call(self._inbox.measured, ends)

    def _close(self, consumer: ConsumerClient, *, orderly: bool) -> None:
        """Commit what was ordered last, again when it is refused, within a few seconds, and leave the group."""
        if orderly:
            self._refused.clear()
            self._obey(consumer)
            deadline = time.monotonic() + _CLOSE_COMMIT_SECONDS
            while (self._commits.unanswered or self._repeat_refused(consumer)) and time.monotonic() < deadline:
                consumer.poll(self._poll_seconds)
        self._rebalance.closing = True
        consumer.close()

    def _repeat_refused(self, consumer: ConsumerClient) -> bool:
        """Commit the last positions that were refused again; whether there were any."""
        again = [position for position in self._last if position.key in self._refused]
        self._refused.clear()
        if again:
            self._commits.commit(consumer, again)
        return bool(again)
