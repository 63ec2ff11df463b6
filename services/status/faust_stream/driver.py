"""What Faust offers by no setting: read what is committed, outlive the broker, be quick.

JobPlanned is written in Kafka transactions, but Faust reads ``read_uncommitted`` unless it produces in transactions
itself. Its consumer crashes the application when an offset commit fails, which a broker's restart makes happen. Only
this module uses private members of Faust, and of aiokafka's consumer.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Coroutine, Generator, Mapping, Sequence
from functools import partial
from typing import Any, Final, cast

import faust
import mode
from aiokafka import AIOKafkaConsumer  # type: ignore[import-untyped]
from aiokafka.consumer.fetcher import Fetcher  # type: ignore[import-untyped]
from aiokafka.errors import IllegalStateError, KafkaError  # type: ignore[import-untyped]
from faust.app.base import BootStrategy
from faust.exceptions import ConsumerNotStarted
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread, Consumer, Transport

from services.status.faust_stream.backlog import Backlog
from services.status.faust_stream.supported import check_library

PRIVATE_MEMBERS: Final[Mapping[tuple[str, str], Mapping[type, Sequence[str]]]] = {
    ("aiokafka", "0.14"): {AIOKafkaConsumer: ("_isolation_level", "_fetcher"), Fetcher: ("_proc_fetch_request",)},
    ("faust-streaming", "0.15"): {
        AIOKafkaConsumerThread: ("_create_worker_consumer", "_ensure_consumer", "_commit"),
        Consumer: ("_new_consumer_thread", "_commit", "wait_first"),
        faust.App: ("_new_transport", "_create_directories"),
    },
    ("mode-streaming", "0.7"): {mode.Service: ("_crashed",)},
}
"""By library and version: what is used or overridden here although it is not public."""

for (_name, _series), _members in PRIVATE_MEMBERS.items():
    check_library(_name, _series, _members)

FAUST_LOG: Final = logging.getLogger("faust")

_FETCH_SECONDS: Final = 0.01
"""The least time between the answer to a fetch and the next one. The broker answers as soon as there is one record, so
that a busy topic is read in hundreds of fetches a second with a record or two in each: they cost more than the records.
A topic that was quiet is read at once: its fetch waits at the broker."""

_MEASURE_SECONDS: Final = 2.0

_log = logging.getLogger(__name__)


class ReadCommittedThread(AIOKafkaConsumerThread):
    """Faust's consumer thread with ``isolation_level=read_committed`` and commits that may fail."""

    logger = FAUST_LOG

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._backlog = Backlog()

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        # aiokafka hands it to its fetcher at the start of the consumer, which comes after this.
        consumer._isolation_level = "read_committed"
        return consumer

    async def on_start(self) -> None:
        """Start the consumer, then pace its fetches: the fetcher is there only now."""
        await super().on_start()
        pace_fetches(self._ensure_consumer()._fetcher)

    async def getmany(self, active_partitions: Any, timeout: float) -> Any:
        """As the base; notes what was handed out."""
        records = await super().getmany(active_partitions, timeout)
        for tp, found in records.items():
            if found:
                self._backlog.read(tp, found[0].offset, found[-1].offset)
        return records

    async def on_partitions_revoked(self, revoked: Any) -> None:
        """As the base; what was handed out of them is read again by whoever gets them."""
        await super().on_partitions_revoked(revoked)
        self._backlog.forget(revoked)

    async def behind(self, written: Mapping[Any, int]) -> int:
        """How many offsets of the held partitions are not written yet.

        ``written``: by partition the offset behind the last record that is. Raises KafkaError, IllegalStateError,
        ConsumerNotStarted, TimeoutError.
        """
        return cast(int, await self.call_thread(self._behind, written))

    async def _behind(self, written: Mapping[Any, int]) -> int:
        consumer = self._ensure_consumer()
        ends = {tp: consumer.last_stable_offset(tp) for tp in consumer.assignment()}
        total = 0
        async with asyncio.timeout(_MEASURE_SECONDS):
            for tp, end in ends.items():
                # Nothing is known of a partition before its first fetch is answered.
                if end is not None and end >= 0:
                    total += self._backlog.behind(tp, end, await consumer.position(tp), written.get(tp))
        return total

    async def _commit(self, offsets: Mapping[Any, int]) -> bool:
        consumer = self._ensure_consumer()
        held = consumer.assignment()
        try:
            await consumer.commit({tp: offset for tp, offset in offsets.items() if tp in held})
        except (KafkaError, IllegalStateError) as error:
            # The next commit repeats it; what is not committed is applied twice, to no effect.
            _log.info("Offsets could not be committed, they are committed again", extra={"error": type(error).__name__})
            return False
        return True


class ReadCommittedConsumer(Consumer):
    """Faust's consumer on that thread."""

    logger = FAUST_LOG

    async def wait_first(self, *coros: Any, timeout: Any = None) -> Any:
        """As the base, which makes two tasks and waits for the first to end: here only for what has to wait.

        Faust delivers every record through this, against "the flow is suspended". Nearly always there is room in
        the stream's buffer and the delivery ends in its first step; the tasks were a third of the time per event.
        """
        if timeout is not None or len(coros) != 2 or not all(hasattr(coro, "send") for coro in coros):
            return await super().wait_first(*coros, timeout=timeout)
        delivery, suspended = coros
        try:
            waits_for = delivery.send(None)
        except StopIteration:
            suspended.close()
            return None
        return await super().wait_first(_await(_Begun(delivery, waits_for)), suspended)

    def _new_consumer_thread(self) -> ReadCommittedThread:
        self.reader = ReadCommittedThread(self, loop=self.loop, beacon=self.beacon)
        return self.reader


def pace_fetches(fetcher: Any) -> None:
    """Have an aiokafka fetcher ask a broker again no sooner than 10 ms after its answer."""
    fetch = fetcher._proc_fetch_request
    clock = time.monotonic
    free_at: dict[int, float] = {}

    async def fetch_in_time(assignment: Any, node_id: int, request: Any) -> bool:
        wait = free_at.get(node_id, 0.0) - clock()
        if wait > 0:
            try:
                await asyncio.sleep(wait)
            except asyncio.CancelledError:
                return False  # as a fetch answers that is cancelled: its partitions have gone
        news: bool = await fetch(assignment, node_id, request)
        free_at[node_id] = clock() + _FETCH_SECONDS
        return news

    fetcher._proc_fetch_request = fetch_in_time


class _Begun:
    """A coroutine that has made its first step and waits for ``waits_for``: awaiting this goes on from there."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any], waits_for: Any) -> None:
        self._coroutine = coroutine
        self._waits_for = waits_for

    def __await__(self) -> Generator[Any, Any, Any]:
        waits_for = self._waits_for
        while True:
            try:
                received = yield waits_for
            # Whatever is raised here, a cancellation too, is the coroutine's to handle.
            except BaseException as error:  # noqa: BLE001
                step = partial(self._coroutine.throw, error)
            else:
                step = partial(self._coroutine.send, received)
            try:
                waits_for = step()
            except StopIteration as ended:
                return ended.value


async def _await(begun: _Begun) -> Any:
    return await begun


class ReadCommittedTransport(Transport):
    """Faust's transport with that consumer."""

    Consumer = ReadCommittedConsumer


class ConsumerOnly(BootStrategy):
    """Start the consumer and its agents only."""

    enable_web = False
    enable_kafka_producer = False
    enable_sensors = False


class StatusApp(faust.App):
    """A Faust application with that transport, which leaves no directories behind."""

    BootStrategy = ConsumerOnly
    # mode logs under the module of the class otherwise: every start and stop, as if it were ours.
    logger = FAUST_LOG

    def _create_directories(self) -> None:
        """Nothing: without Tables there is nothing to keep in them."""

    def _new_transport(self) -> ReadCommittedTransport:
        return ReadCommittedTransport(self.conf.broker_consumer, self)

    async def wait_for_crash(self) -> None:
        """Return when the application has crashed; ``crash_reason`` then says why."""
        await self._crashed.wait()

    async def commit_offsets(self, offsets: Mapping[Any, int]) -> bool:
        """Commit the offsets of the partitions that are held; whether the broker took them."""
        committed: bool = await cast(ReadCommittedConsumer, self.consumer)._commit(offsets)
        return committed

    async def behind(self, written: Mapping[Any, int]) -> int | None:
        """See ReadCommittedThread.behind; None while it cannot be known."""
        try:
            return await cast(ReadCommittedConsumer, self.consumer).reader.behind(written)
        except (KafkaError, IllegalStateError, ConsumerNotStarted, TimeoutError):
            return None
