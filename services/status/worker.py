"""The worker: writes what Faust reads in batches, and commits offsets after their transaction, never before.

Offsets are kept here and not by Faust's acknowledgements. Those count a transaction marker's gap in the offsets
together with the record behind it, and may pass records that a rebalance threw out of the buffer. Here a batch's
records count only in the group generation that they were fetched in. Records of an older one are dropped, since Faust
fetches them again from the committed offset.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, cast

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from services.status.batch_writer import BatchWriter
from services.status.faust_stream.app import make_app
from services.status.faust_stream.driver import StatusApp
from services.status.faust_stream.headers import UNREADABLE, read_leniently
from services.status.gatherer import Gatherer
from services.status.metrics import StatusMetrics
from services.status.projection.urgency import RemainingDocuments
from services.status.settings import StatusSettings
from shared.concurrency.outage import Outage
from shared.concurrency.waiting import wait_for_any
from shared.errors import InfrastructureAway
from shared.events.topics import DOCUMENT_EVENTS
from shared.kafka.config import common_config
from shared.kafka.consumer.client import UNREADABLE_HEADERS
from shared.records import Record

_log = logging.getLogger(__name__)

_FIRST_WAIT: Final = 0.1
_LONGEST_WAIT: Final = 5.0
_LAG_EVERY_SECONDS: Final = 5.0
_REVOCATION_SECONDS: Final = 8.0
"""How long a rebalance waits for the transaction in progress; less than the session of the group."""


def to_record(message: Any) -> Record:
    """A Faust message as the record it was."""
    headers = {name: value for name, value in message.headers or () if value is not None}
    return Record(
        topic=message.topic,
        partition=message.partition,
        offset=message.offset,
        key=message.key,
        value=message.value,
        headers=headers,
        timestamp_ms=int((message.timestamp or 0) * 1000),
        unreadable=UNREADABLE_HEADERS if UNREADABLE in headers else None,
    )


class StatusWorker:
    """Runs the Faust application until the stop event is set; starts another when it crashes.

    One for each process; a batch is written in one thread while nothing is read. It never gives up: a batch that cannot
    be written is tried again, at intervals of up to 5 seconds.
    """

    def __init__(
        self, settings: StatusSettings, writer: BatchWriter, metrics: StatusMetrics, *, topic: str = DOCUMENT_EVENTS
    ) -> None:
        self._settings = settings
        self._writer = writer
        self._metrics = metrics
        self._topic = topic
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="projection")
        self._stop = asyncio.Event()
        self._app: StatusApp | None = None
        self._positions: dict[Any, int] = {}
        self._committed: dict[Any, int] = {}
        self._writing = asyncio.Lock()
        self._remaining = RemainingDocuments()
        self._outage = Outage(
            _log,
            began="The projection waits, its batch is tried again",
            over="The projection goes on",
        )
        self._gatherer = self._new_gatherer()

    async def run(self, stop: asyncio.Event) -> None:
        """Consume until ``stop``; returns when the batch in progress is committed and its offsets are."""
        self._stop = stop
        read_leniently()
        wait = _FIRST_WAIT
        try:
            while not stop.is_set():
                await self._wait_for_broker()
                if stop.is_set():
                    return
                began = asyncio.get_running_loop().time()
                try:
                    await self._run_application()
                # Faust raises what its client raised; another application begins where the offsets are.
                except Exception as error:  # noqa: BLE001
                    _log.warning("The consumer ended, another is started", extra={"error": type(error).__name__})
                lived = asyncio.get_running_loop().time() - began
                wait = _FIRST_WAIT if lived > 60 else min(wait * 2, _LONGEST_WAIT)
                await wait_for_any(self._stop, within=wait)
        finally:
            self._thread.shutdown(wait=True)

    async def _run_application(self) -> None:
        self._positions, self._committed = {}, {}
        self._remaining.forget()
        self._gatherer = self._new_gatherer()
        app = self._app = make_app(self._settings, self._topic, self.take)
        cast(Any, app.on_partitions_revoked).connect(self._on_revoked)
        gathering = asyncio.create_task(self._gatherer.run())
        committing = asyncio.create_task(self._commit_regularly(app))
        measuring = asyncio.create_task(self._measure_regularly(app))
        stopping = asyncio.create_task(self._stop.wait())
        ending = asyncio.create_task(app.wait_for_crash())
        try:
            await app.start()
            await asyncio.wait({stopping, ending, gathering}, return_when=asyncio.FIRST_COMPLETED)
            if gathering.done():
                # Only a bug ends it; another application begins where the offsets are.
                gathering.result()
            # What is being written is finished; nothing more is begun once the stop event is set.
            async with self._writing:
                if not app.crashed:
                    await self._commit(app)
        finally:
            tasks = (gathering, committing, measuring, stopping, ending)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._end(app)
        if app.crashed and not self._stop.is_set():
            raise app.crash_reason or RuntimeError("the Faust application crashed")

    async def _end(self, app: StatusApp) -> None:
        try:
            await asyncio.wait_for(app.stop(), self._settings.shutdown_seconds / 2)
        except Exception as error:  # noqa: BLE001
            _log.warning(
                "The consumer did not stop in time, its partitions move when its session ends",
                extra={"error": type(error).__name__},
            )
        self._app = None

    def _new_gatherer(self) -> Gatherer[Any]:
        settings = self._settings
        return Gatherer(self._write_batch, size=settings.status_batch_size, seconds=settings.status_batch_seconds)

    async def take(self, event: Any) -> None:
        """Take a Faust event; waits while a batch is being written. Never raises but CancelledError."""
        message = event.message
        kind = next((value for name, value in message.headers or () if name == "ce_type"), None) or b""
        key, value = message.key or b"", message.value or b""
        await self._gatherer.add(message, urgent=lambda: self._remaining.may_end(kind, key, value))

    async def _write_batch(self, gathered: Sequence[Any]) -> None:
        """Write a batch; returns when it is committed or when the worker stops. Never raises but CancelledError."""
        app = self._app
        async with self._writing:
            if app is None or self._stop.is_set():
                return
            generation = app.consumer_generation_id
            messages = [message for message in gathered if message.generation_id == generation]
            if not messages or not await self._write([to_record(message) for message in messages]):
                return
            if app.consumer_generation_id == generation:
                for message in messages:
                    self._positions[message.tp] = message.offset + 1

    async def _write(self, records: Sequence[Record]) -> bool:
        """Write the records, however often it takes; False when a stop came first."""
        wait, failed = _FIRST_WAIT, False
        loop = asyncio.get_running_loop()
        while True:
            try:
                left = await asyncio.shield(loop.run_in_executor(self._thread, self._writer.write, records))
            except InfrastructureAway as away:
                cause = type(away.__cause__).__name__ if away.__cause__ else None
                self._outage.began(what=away.what, error=cause)
            # The loop must go on, whatever it is: an exception here would acknowledge by leaving.
            except Exception as error:  # noqa: BLE001
                if not failed:
                    _log.exception(
                        "A batch could not be written, it is tried again", extra={"error": type(error).__name__}
                    )
                failed = True
            else:
                self._outage.is_over()
                self._remaining.learn(left)
                return True
            self._metrics.retries.inc()
            await wait_for_any(self._stop, within=wait * random.uniform(0.5, 1.0))  # noqa: S311
            wait = min(wait * 2, _LONGEST_WAIT)
            if self._stop.is_set():
                return False

    async def _on_revoked(self, app: Any, revoked: Any, **_: Any) -> None:
        """Commit what is written of the partitions that go away, the batch in progress included."""
        try:
            async with asyncio.timeout(_REVOCATION_SECONDS), self._writing:
                await self._commit(app)
        except TimeoutError:
            _log.info("Partitions were revoked during a transaction, its events are read again")
        for partition in revoked:
            self._positions.pop(partition, None)
            self._committed.pop(partition, None)
        self._remaining.forget()

    async def _commit_regularly(self, app: StatusApp) -> None:
        while True:
            await asyncio.sleep(self._settings.status_commit_seconds)
            await self._commit(app)

    async def _measure_regularly(self, app: StatusApp) -> None:
        while True:
            await asyncio.sleep(_LAG_EVERY_SECONDS)
            behind = await app.behind(dict(self._positions))
            if behind is not None:
                self._metrics.measured(self._topic, behind)

    async def _commit(self, app: StatusApp) -> None:
        ahead = {tp: offset for tp, offset in self._positions.items() if self._committed.get(tp) != offset}
        if ahead and not app.should_stop and await app.commit_offsets(ahead):
            self._committed.update(ahead)

    async def _wait_for_broker(self) -> None:
        """Return when the broker answers and the topic is there, or at the stop."""
        admin = AdminClient(common_config(self._settings.kafka_bootstrap_servers, self._settings.kafka_config))
        loop = asyncio.get_running_loop()
        waiting = Outage(
            _log, began="Waiting for the broker and its topics", over="The broker and its topics are there"
        )
        while not self._stop.is_set():
            try:
                topics = (await loop.run_in_executor(self._thread, lambda: admin.list_topics(timeout=2.0))).topics
            except KafkaException:
                topics = {}
            if self._topic in topics and not topics[self._topic].error:
                waiting.is_over()
                return
            waiting.began(topic=self._topic)
            await wait_for_any(self._stop, within=1.0)
