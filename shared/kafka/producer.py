"""The one producer of a process: idempotent, acknowledged by all in-sync replicas, from coroutines and threads."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from itertools import islice
from typing import Any, Final

import confluent_kafka
from confluent_kafka import KafkaError, KafkaException

from shared.errors import InfrastructureAway, ProcessingError
from shared.kafka.config import producer_config
from shared.kafka.failures import ProducerFailed, RecordRefused, TopicAway, failure_of
from shared.records import OutgoingRecord

_log = logging.getLogger(__name__)

_POLL_SECONDS: Final = 0.1
_QUEUE_FULL_WAIT_SECONDS: Final = 0.01
_CHUNK: Final = 1_000


class _Batch:
    """Counts the delivery reports of one send; ``complete`` gets the first failure, or None, once all are in."""

    def __init__(self, complete: Callable[[ProcessingError | None], None]) -> None:
        self._complete = complete
        self._lock = threading.Lock()
        # One for the sender itself, so that early reports cannot end a batch that is still being filled.
        self._open = 1
        self._failure: ProcessingError | None = None

    def add(self) -> None:
        with self._lock:
            self._open += 1

    def report(self, error: KafkaError | None, _message: object) -> None:
        self.close(None if error is None else failure_of(error))

    def close(self, failure: ProcessingError | None) -> None:
        with self._lock:
            self._open -= 1
            self._failure = self._failure or failure
            last = self._open == 0
        if last:
            self._complete(self._failure)


class Producer:
    """A confluent-kafka producer with a thread that serves its delivery reports. One for each process.

    ``send`` may be called from coroutines of any event loop and ``send_each`` from any thread, at once. Records with
    one key keep their order, also over reconnections. An unacknowledged record fails after 120 s (delivery.timeout.ms
    of config.producer_config). ``client`` is for tests.
    """

    def __init__(
        self,
        bootstrap_servers: str,
        config: dict[str, Any] | None = None,
        *,
        client: confluent_kafka.Producer | None = None,
    ) -> None:
        self._client = client or confluent_kafka.Producer(producer_config(bootstrap_servers, config))
        self._resolved: list[tuple[asyncio.AbstractEventLoop, asyncio.Future[None], ProcessingError | None]] = []
        self._resolved_lock = threading.Lock()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="kafka-producer", daemon=True)
        self._thread.start()

    async def send(self, records: Iterable[OutgoingRecord]) -> None:
        """Write the records and return when every one is acknowledged.

        ``records`` may be a generator of any length: it is read in pieces and never held as a whole. Cancelling does
        not take back what was queued.

        Raises:
            InfrastructureAway: the broker, or a topic (TopicAway), is away; some records may have been written.
            RecordRefused: the broker will never take one of them; others may have been written.
            ProducerFailed: the producer is unusable, the process must start again.
        """
        loop = asyncio.get_running_loop()
        acknowledged: asyncio.Future[None] = loop.create_future()

        batch = _Batch(lambda failure: self._resolve_soon(loop, acknowledged, failure))
        failure: ProcessingError | None = None
        source = iter(records)
        try:
            while chunk := list(islice(source, _CHUNK)):
                for record in chunk:
                    # librdkafka does not say when there is room again.
                    while not self._produce(record, batch):  # noqa: ASYNC110
                        await asyncio.sleep(_QUEUE_FULL_WAIT_SECONDS)
                if len(chunk) == _CHUNK:
                    await asyncio.sleep(0)  # a long generator lets others run in between
        except ProcessingError as refused:
            failure = refused
        except BaseException:
            batch.close(None)
            raise
        batch.close(failure)
        if failure is not None or not acknowledged.done():
            self._hand_over()
        await acknowledged

    async def send_together(self, answers: Sequence[Iterable[OutgoingRecord]]) -> Sequence[ProcessingError | None]:
        """Write the records of several answers, in order; of each None when all of it is acknowledged, else why not.

        The failures are those that :meth:`send` raises; one answer's does not keep the others from being written.
        """
        loop = asyncio.get_running_loop()
        acknowledged: asyncio.Future[None] = loop.create_future()
        failures: list[ProcessingError | None] = [None] * len(answers)
        batch = _Batch(lambda _: self._resolve_soon(loop, acknowledged, None))
        try:
            for index, records in enumerate(answers):
                report = _reporting(batch, failures, index)
                try:
                    for record in records:
                        while not self._produce(record, batch, report):  # noqa: ASYNC110 - as in send
                            await asyncio.sleep(_QUEUE_FULL_WAIT_SECONDS)
                except ProcessingError as refused:
                    failures[index] = refused
        finally:
            batch.close(None)
        if not acknowledged.done():
            self._hand_over()
        await acknowledged
        return failures

    def send_blocking(self, records: Sequence[OutgoingRecord], timeout: float) -> None:
        """Like ``send``, for a thread. ``timeout`` in seconds.

        Raises InfrastructureAway also when the time is over: the records may still be written later.
        """
        for failure in self.send_each(records, timeout):
            if failure is not None:
                raise failure

    def send_each(self, records: Sequence[OutgoingRecord], timeout: float) -> list[ProcessingError | None]:
        """Write the records in order, from a thread; of each None when it is acknowledged, else why not.

        The failures in the list are RecordRefused, TopicAway or InfrastructureAway; one record's failure does not keep
        the others from being written.

        Raises:
            ProducerFailed: the producer is unusable, the process must start again.
            InfrastructureAway: ``timeout`` (seconds) is over; the records may still be written later.
        """
        deadline = time.monotonic() + timeout
        done: Future[None] = Future()
        failures: list[ProcessingError | None] = [None] * len(records)
        batch = _Batch(lambda _: done.set_result(None))
        for index, record in enumerate(records):
            try:
                while not self._produce(record, batch, _reporting(batch, failures, index)):
                    if time.monotonic() > deadline:
                        raise InfrastructureAway("kafka: the producer's queue is full")
                    time.sleep(_QUEUE_FULL_WAIT_SECONDS)
            except (RecordRefused, TopicAway) as refused:
                failures[index] = refused
        batch.close(None)
        try:
            done.result(max(0.0, deadline - time.monotonic()))
        except TimeoutError:
            raise InfrastructureAway("kafka: no acknowledgement in time") from None
        for failure in failures:
            if isinstance(failure, ProducerFailed):
                raise failure
        return failures

    def topic_problem(self, topic: str, timeout: float) -> ProcessingError | None:
        """What the broker says of a topic: None, or why it cannot be written to. Blocks for up to ``timeout`` seconds.

        Raises InfrastructureAway when no broker answers.
        """
        try:
            found = self._client.list_topics(topic, timeout=timeout).topics.get(topic)
        except KafkaException as error:
            raise failure_of(error.args[0]) from error
        except (ValueError, UnicodeError):
            return RecordRefused(KafkaError(KafkaError.TOPIC_EXCEPTION).name())
        if found is None:
            return TopicAway(f"kafka: no answer about {topic}")
        return None if found.error is None else failure_of(found.error)

    def flush(self, timeout: float) -> bool:
        """Wait until everything sent is acknowledged; False when the time (seconds) is over before."""
        return self._client.flush(timeout) == 0

    def close(self, timeout: float = 10.0) -> None:
        """Flush, then end the thread. What is not acknowledged by then is given up."""
        if not self.flush(timeout):
            _log.warning(
                "The Kafka producer is closed with unacknowledged records; the work that made them is done again",
                extra={"records": len(self._client)},
            )
            self._client.purge()
        self._closing.set()
        self._thread.join(timeout=5.0)

    def _produce(
        self,
        record: OutgoingRecord,
        batch: _Batch,
        report: Callable[[KafkaError | None, object], None] | None = None,
    ) -> bool:
        """Queue one record; False when the queue is full. ``report`` closes the batch's share, as its own does."""
        batch.add()
        try:
            self._client.produce(
                record.topic,
                value=record.value,
                key=record.key,
                headers=list(record.headers.items()),
                on_delivery=report or batch.report,
            )
        except BufferError:
            batch.close(None)
            return False
        except KafkaException as error:
            batch.close(None)
            raise failure_of(error.args[0]) from error
        # A topic's name with a NUL, or that is no UTF-8.
        except ValueError as error:
            batch.close(None)
            raise RecordRefused(KafkaError(KafkaError.TOPIC_EXCEPTION).name()) from error
        return True

    def _resolve_soon(
        self, loop: asyncio.AbstractEventLoop, future: asyncio.Future[None], failure: ProcessingError | None
    ) -> None:
        """Let the next hand-over resolve a future of a loop. From any thread."""
        with self._resolved_lock:
            self._resolved.append((loop, future, failure))

    def _serve(self) -> None:
        while not self._closing.is_set():
            self._client.poll(_POLL_SECONDS)
            self._hand_over()
        self._client.poll(0)
        self._hand_over()

    def _hand_over(self) -> None:
        """Wake each event loop once for all of its batches that are complete."""
        with self._resolved_lock:
            resolved, self._resolved = self._resolved, []
        by_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[None], ProcessingError | None]]] = {}
        for loop, future, failure in resolved:
            by_loop.setdefault(loop, []).append((future, failure))
        for loop, results in by_loop.items():
            try:
                loop.call_soon_threadsafe(_resolve, results)
            except RuntimeError:
                # The loop is closed: nobody waits any more.
                continue


def _reporting(
    batch: _Batch, failures: list[ProcessingError | None], index: int
) -> Callable[[KafkaError | None, object], None]:
    """Notes the first failure of the records of this index, and closes their share of the batch."""

    def report(error: KafkaError | None, _message: object) -> None:
        if error is not None and failures[index] is None:
            failures[index] = failure_of(error)
        batch.close(None)

    return report


def _resolve(results: list[tuple[asyncio.Future[None], ProcessingError | None]]) -> None:
    for future, failure in results:
        if future.done():
            continue
        if failure is None:
            future.set_result(None)
        else:
            future.set_exception(failure)
