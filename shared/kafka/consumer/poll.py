"""The poll thread: it alone touches the consumer, and it never waits for a handler but to give a partition up."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
import threading
import time
from collections.abc import Callable, Coroutine, Iterable, Sequence
from concurrent.futures import Future
from typing import Any, Final, Protocol, TypeVar

from confluent_kafka import OFFSET_BEGINNING, KafkaError, KafkaException, TopicPartition

from shared.errors import ProcessingError
from shared.kafka.consumer.client import ConsumerClient, ConsumerFactory, record_of, to_commit
from shared.kafka.consumer.partitions import Key, Position
from shared.kafka.records import Record

R = TypeVar("R")

_log = logging.getLogger(__name__)

_BATCH: Final = 500
_COMMITTED_SECONDS: Final = 2.0
_LAG_EVERY_SECONDS: Final = 5.0
_NEWS_EVERY_SECONDS: Final = 1.0
"""So often the event loop is told that nothing has been read: whether it still answers."""
_CLOSE_COMMIT_SECONDS: Final = 2.0

# The group or the topics are not ours to read: waiting does not help, an operator does.
_FORBIDDEN: Final = frozenset(
    {
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.UNSUPPORTED_VERSION,
        KafkaError.INCONSISTENT_GROUP_PROTOCOL,
        KafkaError.UNSUPPORTED_ASSIGNOR,
    }
)


class LoopGone(ProcessingError):
    """The event loop is closed, or has not answered for too long: the partitions must go to another member."""


class ConsumerFailed(ProcessingError):
    """The consumer cannot go on (fatal error of the client, or not allowed to read)."""


class Inbox(Protocol):
    """What the poll thread tells the runtime; everything is called on the event loop."""

    def assigned(self, starts: Sequence[Position]) -> None: ...
    def read(self, records: Sequence[Record], group_metadata: Any) -> None: ...
    async def ending(self, keys: Sequence[Key], *, lost: bool) -> Sequence[Position]: ...
    def commit_answered(self, keys: Sequence[Key], error: str | None) -> None: ...
    def measured(self, lag: dict[Key, int]) -> None: ...


class PollThread:
    """Runs a consumer until ``stop``. ``ended`` resolves on the event loop when the consumer is closed.

    ``batch``: how many records at most between two looks at the orders, so by how many a bound can be exceeded.
    ``loop_seconds``: how long the event loop may take to answer before it counts as gone. ``tell_generation``: whether
    the inbox is told the group's metadata as of each poll, which costs a question to the client's own thread.
    """

    def __init__(
        self,
        name: str,
        factory: ConsumerFactory,
        topics: Sequence[str],
        inbox: Inbox,
        *,
        batch: int,
        poll_seconds: float,
        loop_seconds: float,
        transaction_seconds: float,
        tell_generation: bool,
    ) -> None:
        self._batch = min(batch, _BATCH)
        self._factory = factory
        self._topics = list(topics)
        self._inbox = inbox
        self._name = name
        self._poll_seconds = poll_seconds
        self._loop_seconds = loop_seconds
        self._transaction_seconds = transaction_seconds
        self._tell_generation = tell_generation
        self._loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[None] = self._loop.create_future()
        self._orders: queue.SimpleQueue[Callable[[ConsumerClient], None]] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._held: set[Key] = set()
        self._unanswered_commits = 0
        self._closing = False
        self._said: set[int] = set()
        self._lag_at = 0.0
        self._news_at = 0.0
        self._thread = threading.Thread(target=self._run, name=f"kafka-{name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, last: Sequence[Position] = ()) -> None:
        """Commit ``last``, leave the group, end."""
        self.commit(last)
        self._stopping.set()

    def pause(self, keys: Iterable[Key]) -> None:
        self._order_partitions("pause", keys)

    def resume(self, keys: Iterable[Key]) -> None:
        self._order_partitions("resume", keys)

    def commit(self, positions: Sequence[Position]) -> None:
        """Commit without waiting; the answer comes to the inbox."""
        if positions:
            self._orders.put(lambda consumer: self._commit_soon(consumer, positions))

    # From here on: in the poll thread.

    def _run(self) -> None:
        failure: BaseException | None = None
        consumer: ConsumerClient | None = None
        try:
            consumer = self._factory(self._on_commit)
            consumer.subscribe(
                self._topics, on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
            )
            while not self._stopping.is_set():
                self._cycle(consumer)
        except BaseException as error:  # noqa: BLE001 - told to the event loop, which ends the runtime with it
            failure = error
        if consumer is not None:
            try:
                self._close(consumer, orderly=failure is None)
            except BaseException as error:  # noqa: BLE001
                failure = failure or error
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._tell_end, failure)

    def _tell_end(self, failure: BaseException | None) -> None:
        if self.ended.done():
            return
        if failure is None:
            self.ended.set_result(None)
        else:
            self.ended.set_exception(failure)

    def _cycle(self, consumer: ConsumerClient) -> None:
        self._obey(consumer)
        records: list[Record] = []
        message = consumer.poll(self._poll_seconds)
        while message is not None:
            if (error := message.error()) is not None:
                self._on_error(error)
            elif (message.topic(), message.partition()) in self._held:
                records.append(record_of(message))
            message = consumer.poll(0) if len(records) < self._batch else None
        now = time.monotonic()
        if records or self._tell_generation or now >= self._news_at:
            self._news_at = now + _NEWS_EVERY_SECONDS
            self._tell(consumer, records)
        if now >= self._lag_at:
            self._lag_at = now + _LAG_EVERY_SECONDS
            self._measure(consumer)

    def _tell(self, consumer: ConsumerClient, records: Sequence[Record]) -> None:
        generation = consumer.consumer_group_metadata() if self._tell_generation else None
        self._on_loop(self._inbox.read, records, generation)

    def _obey(self, consumer: ConsumerClient) -> None:
        while True:
            try:
                order = self._orders.get_nowait()
            except queue.Empty:
                return
            order(consumer)

    def _order_partitions(self, verb: str, keys: Iterable[Key]) -> None:
        wanted = list(keys)

        def order(consumer: ConsumerClient) -> None:
            partitions = [TopicPartition(*key) for key in wanted if key in self._held]
            if partitions:
                getattr(consumer, verb)(partitions)

        if wanted:
            self._orders.put(order)

    def _commit_soon(self, consumer: ConsumerClient, positions: Sequence[Position]) -> None:
        # What was given up meanwhile was committed then, and may be further now.
        offsets = [to_commit(position) for position in positions if position.key in self._held]
        if not offsets:
            self._on_loop(self._inbox.commit_answered, [], None)
            return
        try:
            consumer.commit(offsets=offsets, asynchronous=True)
        except KafkaException as error:
            self._answered([position.key for position in positions], error.args[0].name())
        else:
            self._unanswered_commits += 1

    def _on_commit(self, error: KafkaError | None, partitions: list[TopicPartition]) -> None:
        self._unanswered_commits = max(0, self._unanswered_commits - 1)
        refused = [partition for partition in partitions if partition.error is not None]
        if error is not None:
            self._answered([(partition.topic, partition.partition) for partition in partitions], error.name())
        elif refused and refused[0].error is not None:
            name = refused[0].error.name()
            self._answered([(partition.topic, partition.partition) for partition in refused], name)
        else:
            self._answered([], None)

    def _answered(self, refused: Sequence[Key], error: str | None) -> None:
        if not self._closing:
            self._on_loop(self._inbox.commit_answered, refused, error)

    def _on_assign(self, consumer: ConsumerClient, partitions: list[TopicPartition]) -> None:
        starts = self._committed(consumer, partitions) if partitions else []
        self._held.update(start.key for start in starts)
        if starts:
            self._on_loop(self._inbox.assigned, starts)
        # Read on from exactly the offsets whose metadata was restored.
        fresh = [
            TopicPartition(start.topic, start.partition, start.offset if start.offset >= 0 else OFFSET_BEGINNING)
            for start in starts
        ]
        consumer.incremental_assign(fresh)
        if fresh:
            # librdkafka keeps a pause over the loss of a partition.
            consumer.resume(fresh)

    def _committed(self, consumer: ConsumerClient, partitions: list[TopicPartition]) -> list[Position]:
        """What the group has committed, asked until there is an answer: without it finished records would repeat.

        The broker makes the question wait while a transaction with these offsets is open. None stays open for longer
        than ``transaction_seconds``, but a broker that was killed can forget to tell its group coordinator that one
        has ended, and then the question waits for ever: what was decided before is the truth in that case.
        """
        patience = time.monotonic() + self._transaction_seconds
        said = False
        while not self._stopping.is_set():
            problem = "none"
            try:
                if time.monotonic() < patience:
                    found = consumer.committed(partitions, timeout=_COMMITTED_SECONDS)
                else:
                    found = consumer.decided(partitions, timeout=_COMMITTED_SECONDS)
                    _log.warning("an open transaction is passed over", extra={"runtime": self._name})
            except KafkaException as error:
                problem = error.args[0].name()
                if error.args[0].fatal() or error.args[0].code() in _FORBIDDEN:
                    raise ConsumerFailed(problem) from error
            else:
                if all(partition.error is None for partition in found):
                    return [Position(p.topic, p.partition, p.offset, p.metadata or "") for p in found]
            if not said:
                said = True
                _log.info("waiting for committed offsets", extra={"runtime": self._name, "error": problem})
        return []

    def _on_revoke(self, consumer: ConsumerClient, partitions: list[TopicPartition]) -> None:
        positions = self._give_up(consumer, partitions, lost=False)
        if not positions:
            return
        try:
            consumer.commit(offsets=[to_commit(position) for position in positions], asynchronous=False)
        except KafkaException as error:
            self._answered([position.key for position in positions], error.args[0].name())

    def _on_lost(self, consumer: ConsumerClient, partitions: list[TopicPartition]) -> None:
        self._give_up(consumer, partitions, lost=True)

    def _give_up(self, consumer: ConsumerClient, partitions: list[TopicPartition], *, lost: bool) -> Sequence[Position]:
        keys = [(partition.topic, partition.partition) for partition in partitions]
        self._held.difference_update(keys)
        if self._closing:
            return ()
        drained = self._start_on_loop(self._inbox.ending(keys, lost=lost))
        # A transaction that is being finished meanwhile needs to know which generation of the group it is in.
        while True:
            try:
                return drained.result(timeout=self._poll_seconds)
            except TimeoutError:
                if drained.done():
                    raise
                self._tell(consumer, [])

    def _on_error(self, error: KafkaError) -> None:
        if error.fatal() or error.code() in _FORBIDDEN:
            raise ConsumerFailed(error.name())
        if error.code() not in self._said:
            self._said.add(error.code())
            _log.warning("the consumer goes on after an error", extra={"runtime": self._name, "error": error.name()})

    def _measure(self, consumer: ConsumerClient) -> None:
        ends: dict[Key, int] = {}
        for key in self._held:
            with contextlib.suppress(KafkaException):
                watermarks = consumer.get_watermark_offsets(TopicPartition(*key), timeout=1.0, cached=True)
                if watermarks is not None and watermarks[1] >= 0:
                    ends[key] = watermarks[1]
        self._on_loop(self._inbox.measured, ends)

    def _close(self, consumer: ConsumerClient, *, orderly: bool) -> None:
        """Commit what was ordered last, within a few seconds, and leave the group."""
        if orderly:
            self._obey(consumer)
            deadline = time.monotonic() + _CLOSE_COMMIT_SECONDS
            while self._unanswered_commits and time.monotonic() < deadline:
                consumer.poll(self._poll_seconds)
        self._closing = True
        consumer.close()

    def _on_loop(self, function: Callable[..., R], *arguments: Any) -> R:
        """Call a function on the event loop and wait for its answer."""
        answer: Future[R] = Future()

        def call() -> None:
            try:
                answer.set_result(function(*arguments))
            except BaseException as error:  # noqa: BLE001 - raised in the poll thread instead
                answer.set_exception(error)

        try:
            self._loop.call_soon_threadsafe(call)
        except RuntimeError as closed:
            raise LoopGone("the event loop is closed") from closed
        try:
            return answer.result(self._loop_seconds)
        except TimeoutError:
            raise LoopGone("the event loop does not answer") from None

    def _start_on_loop(self, coroutine: Coroutine[Any, Any, R]) -> Future[R]:
        try:
            return asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        except RuntimeError as closed:
            coroutine.close()
            raise LoopGone("the event loop is closed") from closed
