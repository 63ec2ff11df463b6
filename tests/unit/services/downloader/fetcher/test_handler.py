"""The fetcher's handler: what each ending of a transfer becomes, without a broker, a database or a source."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import orjson
import pytest
from prometheus_client import CollectorRegistry

from services.downloader.cancellations import Cancellations
from services.downloader.catalog_queries import ProjectedDocument
from services.downloader.deleted_cases import DeletedCases
from services.downloader.event_records import EventRecords, StoredBytes
from services.downloader.fetcher.document_store import DocumentStore
from services.downloader.fetcher.duplicates import Duplicates
from services.downloader.fetcher.endings import Endings
from services.downloader.fetcher.handler import Fetcher
from services.downloader.fetcher.start_events import START_SECONDS, StartEvents
from services.downloader.fetcher.task import FetchTask
from services.downloader.fetcher.transfer import Transfer, TransferOptions
from services.downloader.metrics import DownloaderMetrics
from shared.db.engine import Database
from shared.domain.statuses import DocumentStatus
from shared.errors import InfrastructureAway
from shared.events.document_requested import DocumentRequested
from shared.kafka.consumer.handling import Done
from shared.kafka.producer import Producer
from shared.records import OutgoingRecord
from sources.errors import NoAccess, SourceServerError, SourceTimeout
from sources.gate.slot import GateWait
from tests.support import wait_until_async

JOB = "11111111-1111-4111-8111-111111111111"
DOCUMENT = "22222222-2222-4222-8222-222222222222"
NOW = datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC)
STORED = StoredBytes("k", "ab" * 32, 7, "application/pdf", ("size_differs",))


class FakeTransfer:
    """DeadLetterEnds each transfer as scripted."""

    def __init__(self, *endings: StoredBytes | Exception) -> None:
        self._endings = list(endings)
        self.last: bool | None = None
        self.turned: asyncio.Future[None] | None = None
        self.waiting: asyncio.Event | None = None

    async def run(
        self, request: DocumentRequested, started: Callable[[], None], gate_wait: GateWait, options: TransferOptions
    ) -> StoredBytes:
        self.last = options.last
        if self.turned is not None:
            await gate_wait.wait(self.turned)
        started()
        if self.waiting is not None:
            await self.waiting.wait()
        ending = self._endings.pop(0)
        if isinstance(ending, Exception):
            raise ending
        return ending


class FakeProducer:
    def __init__(self, failure: Exception | None = None) -> None:
        self.sent: list[Sequence[OutgoingRecord]] = []
        self._failure = failure

    async def send(self, records: Iterable[OutgoingRecord]) -> None:
        if self._failure is not None:
            raise self._failure
        self.sent.append(list(records))


class FakeDocumentStore:
    """Has the document with so many bytes, or not at all (None); or the store's failure."""

    def __init__(self) -> None:
        self.size: int | Exception | None = None

    async def has(self, key: str, size: int) -> bool:
        if isinstance(self.size, Exception):
            raise self.size
        return self.size == size


class FakeDeletedCases:
    """Says of every job that its case was deleted, or not; and which cases were cleaned."""

    def __init__(self) -> None:
        self.deleted = False
        self.cleaned: list[str] = []

    async def among(self, job_ids: Collection[str]) -> frozenset[str]:
        return frozenset(job_ids if self.deleted else ())

    async def clean(self, process_number: str) -> None:
        self.cleaned.append(process_number)


class FetcherWithFakes:
    """A fetcher with fakes around it."""

    def __init__(
        self,
        *endings: StoredBytes | Exception,
        producer: FakeProducer | None = None,
        start_seconds: float = START_SECONDS,
    ) -> None:
        self.transfer = FakeTransfer(*endings)
        self.document_store = FakeDocumentStore()
        self.producer = producer or FakeProducer()
        self.starts = StartEvents(cast(Producer, self.producer), EventRecords(lambda: NOW), seconds=start_seconds)
        self.cancellations = Cancellations(cast(Database, None))
        self.deleted_cases = FakeDeletedCases()
        self.fetcher = self.make_fetcher()

    def make_fetcher(self) -> Fetcher:
        metrics = DownloaderMetrics(CollectorRegistry())
        return Fetcher(
            cast(Database, None),
            cast(Transfer, self.transfer),
            cast(DocumentStore, self.document_store),
            Endings(EventRecords(lambda: NOW), self.starts, self.cancellations, delays=(5.0, 30.0), metrics=metrics),
            Duplicates(cast(Database, None), cast(DocumentStore, self.document_store)),
            cancellations=self.cancellations,
            deleted_cases=cast(DeletedCases, self.deleted_cases),
            metrics=metrics,
        )

    async def handle(self, task: FetchTask) -> list[tuple[str, dict[str, Any]]]:
        """Topic, type and value of what was emitted."""
        try:
            [done] = await self.fetcher.review([(task, await self.fetcher.handle(task))])
            assert isinstance(done, Done)
        finally:
            await self.starts.flush()
        return [shown(record) for record in cast(Sequence[OutgoingRecord], done.emit)]


def shown(record: OutgoingRecord) -> tuple[str, dict[str, Any]]:
    assert record.value is not None
    kind = record.headers["ce_type"].decode()
    return record.topic, {"type": kind, **orjson.loads(record.value)}


def task(attempt: int = 1) -> FetchTask:
    return FetchTask(
        DocumentRequested(
            job_id=JOB,
            process_number="1000145-91.2023.8.26.0597",
            document_id=DOCUMENT,
            source_path="/x",
            object_key="k",
            name="n",
            attempt=attempt,
        ),
        checked=True,
    )


async def test_the_end_of_a_document_says_when_it_was_started() -> None:
    bench = FetcherWithFakes(STORED, NoAccess(), start_seconds=60.0)
    ((topic, told),) = await bench.handle(task())
    assert (topic, told["type"]) == ("document.events", "autos.document.available")
    assert (told["object_key"], told["sha256"], told["size"], told["attempts"]) == ("k", "ab" * 32, 7, 1)
    (_, failed), _ = await bench.handle(task())
    assert told["started_at"] == failed["started_at"] == "2025-01-02T03:04:05.000000Z"
    assert bench.producer.sent == [], "they took no longer than a moment"


async def test_the_start_of_a_document_that_takes_longer_is_told_meanwhile_and_once() -> None:
    bench = FetcherWithFakes(STORED, start_seconds=0.0)
    bench.transfer.waiting = asyncio.Event()
    handled = asyncio.ensure_future(bench.handle(task()))
    await wait_until_async(lambda: bench.producer.sent)
    bench.transfer.waiting.set()
    ((_, told),) = await handled
    assert told["type"] == "autos.document.available"
    [[started]] = bench.producer.sent
    assert shown(started)[1]["type"] == "autos.document.started"


async def test_starts_of_one_moment_are_sent_together() -> None:
    bench = FetcherWithFakes(start_seconds=0.05)
    ids = [f"{number:08}-2222-4222-8222-222222222222" for number in range(3)]
    for document_id in ids:
        request = task().request.model_copy(update={"document_id": document_id})
        assert bench.starts.began(request, None) == NOW
    bench.starts.ended(request)
    await wait_until_async(lambda: bench.producer.sent)
    [sent] = [[shown(record)[1]["document_id"] for record in records] for records in bench.producer.sent]
    assert sent == ids[:2], "the last one has ended, and its end says all"


async def test_a_later_attempt_is_not_started_again_and_counts() -> None:
    bench = FetcherWithFakes(STORED)
    ((_, told),) = await bench.handle(task(attempt=3))
    assert (told["attempts"], told["started_at"]) == (3, None)
    assert bench.producer.sent == []


async def test_a_start_that_cannot_be_told_loses_nothing_else() -> None:
    bench = FetcherWithFakes(
        InfrastructureAway("object store"), STORED, producer=FakeProducer(InfrastructureAway("kafka"))
    )
    held = task()
    with pytest.raises(InfrastructureAway):
        await bench.handle(held)
    ((_, told),) = await bench.handle(held)
    assert told["type"] == "autos.document.available"


async def test_an_answer_about_the_document_goes_to_the_retry_topics() -> None:
    ((topic, again),) = await FetcherWithFakes(SourceServerError()).handle(task())
    assert (topic, again["attempt"], again["last_error"]) == ("document.retry.5s", 2, "source_error")


@pytest.mark.parametrize(("error", "attempt"), [(SourceServerError(), 3), (NoAccess(), 1)])
async def test_the_last_failure_ends_the_document_for_its_job_and_is_kept_as_dead(error: Any, attempt: int) -> None:
    *_, (topic, failed), (dead_topic, dead) = await FetcherWithFakes(error).handle(task(attempt))
    assert (topic, failed["type"], failed["attempts"]) == ("document.events", "autos.document.failed", attempt)
    assert (dead_topic, dead["error_code"]) == ("document.dead", error.code)
    assert failed["error_code"] == error.code


async def test_a_document_that_alone_finds_the_source_away_spends_attempts() -> None:
    bench = FetcherWithFakes(*[SourceTimeout() for _ in range(3)])
    told = [(await bench.handle(task(attempt)))[0][1]["type"] for attempt in (1, 2, 3)]
    again, failed = "autos.document.requested", "autos.document.failed"
    assert told == [again, again, failed]


async def test_a_document_that_waits_leaves_when_its_job_is_cancelled() -> None:
    bench = FetcherWithFakes()
    bench.cancellations = Cancellations(cast(Database, Asked(JOB)))
    bench.fetcher = bench.make_fetcher()
    bench.transfer.turned = asyncio.get_running_loop().create_future()
    waiting = task()
    handled = asyncio.ensure_future(bench.handle(waiting))
    await wait_until_async(lambda: waiting.gate_wait.waiting)
    await bench.cancellations.refresh()
    assert await asyncio.wait_for(handled, 60) == []
    assert not waiting.gate_wait.waiting


async def test_a_failure_that_nobody_expected_ends_like_an_answer_about_the_document() -> None:
    ((topic, again),) = await FetcherWithFakes(ZeroDivisionError()).handle(task())
    assert (topic, again["last_error"]) == ("document.retry.5s", "internal_error")
    (_, failed), _ = await FetcherWithFakes(ZeroDivisionError()).handle(task(attempt=3))
    assert failed["error_code"] == "internal_error"


async def test_a_store_that_is_away_holds_the_document() -> None:
    with pytest.raises(InfrastructureAway):
        await FetcherWithFakes(InfrastructureAway("object store")).handle(task())


async def test_a_document_of_a_cancelled_job_is_dropped_without_a_word() -> None:
    bench = FetcherWithFakes()
    bench.cancellations.note([JOB], {JOB})
    assert await bench.handle(task()) == []
    assert bench.producer.sent == []


class Asked:
    """A database in which these jobs are cancelled; it keeps what it was asked for."""

    def __init__(self, *cancelled: str) -> None:
        self.cancelled = frozenset(cancelled)
        self.times = 0

    async def autocommit(self, _work: object) -> frozenset[str]:
        self.times += 1
        return self.cancelled


async def test_only_jobs_at_hand_are_asked_for_again() -> None:
    now = 0.0
    database = Asked("b")
    cancellations = Cancellations(cast(Database, database), clock=lambda: now)
    cancellations.note(["a", "b", "c"], {"c"})
    await cancellations.refresh()
    assert [job in cancellations for job in "abc"] == [False, True, True]
    assert len(cancellations) == 1
    now = 50.0
    assert "a" not in cancellations
    now = 100.0
    await cancellations.refresh()
    assert (len(cancellations), database.times) == (1, 2)
    now = 111.0
    await cancellations.refresh()
    # Nothing is at hand, nobody is asked; what was cancelled is known for longer.
    assert (len(cancellations), database.times) == (0, 2)
    assert "b" in cancellations and "a" not in cancellations


def test_only_so_many_jobs_are_remembered() -> None:
    cancellations = Cancellations(cast(Database, None))
    cancellations.note([f"cancelled-{n}" for n in range(10_001)], {f"cancelled-{n}" for n in range(10_001)})
    assert "cancelled-0" not in cancellations and "cancelled-10000" in cancellations
    cancellations.note([str(n) for n in range(10_001)])
    assert len(cancellations) == 10_000


def asking(attempt: int = 1) -> FetchTask:
    """A document that asks for the window after the third."""
    asked = task(attempt)
    asked.request = asked.request.model_copy(update={"plan_id": JOB, "release_after": 3})
    return asked


@pytest.mark.parametrize("ending", [STORED, NoAccess(), SourceServerError(), ZeroDivisionError()])
async def test_whatever_becomes_of_a_document_the_next_window_is_asked_for(ending: Any) -> None:
    *_, last, (topic, asked) = await FetcherWithFakes(ending).handle(asking())
    assert (topic, asked["type"]) == ("process.requested", "autos.process.requested")
    assert (asked["job_id"], asked["plan_id"], asked["resume_after"]) == (JOB, JOB, 3)
    # Another attempt does not ask again.
    assert last[1].get("release_after") is None or last[0] == "document.dead"


async def test_a_held_document_asks_for_nothing_yet_and_one_of_a_cancelled_job_never() -> None:
    bench = FetcherWithFakes(InfrastructureAway("object store"))
    with pytest.raises(InfrastructureAway):
        await bench.handle(asking())
    bench.cancellations.note([JOB], {JOB})
    assert await bench.handle(asking()) == []


async def test_oddities_become_warnings_and_only_the_last_attempt_keeps_a_doubtful_one() -> None:
    bench = FetcherWithFakes(STORED, STORED)
    *_, (_, told) = await bench.handle(task())
    assert (told["warnings"], told["rendition"], told["revision"], told["replaced_at"]) == (
        ["size_differs"],
        "binary",
        1,
        None,
    )
    assert bench.transfer.last is False
    await bench.handle(task(attempt=3))
    assert bench.transfer.last is True


@pytest.mark.parametrize(("before", "replaced"), [("cd" * 32, True), ("ab" * 32, False)])
async def test_bytes_that_take_the_place_of_others_are_told_with_the_time(before: str, replaced: bool) -> None:
    bench = FetcherWithFakes(STORED)
    again = task()
    again.replaces = ProjectedDocument(DocumentStatus.AVAILABLE, "k", before, 5, "application/pdf", None, None, 1)
    *_, (_, told) = await bench.handle(again)
    assert (told["replaced_at"] is not None) is replaced


async def test_what_the_source_said_is_told_with_the_bytes_and_again_when_they_were_there_already() -> None:
    said = {"fetched_at": NOW - timedelta(days=1), "source_headers": ["date: x"], "object_version": "v1"}
    bench = FetcherWithFakes(replace(STORED, **said))  # type: ignore[arg-type]
    *_, (_, first) = await bench.handle(task())
    again = task()
    again.stored = ProjectedDocument(
        DocumentStatus.AVAILABLE,
        "k",
        "ab" * 32,
        7,
        "application/pdf",
        None,
        None,
        1,
        **said,  # type: ignore[arg-type]
    )
    bench.document_store.size = 7
    [(_, later)] = await bench.handle(again)
    for told in (first, later):
        assert (told["fetched_at"], told["at"]) == ("2025-01-01T03:04:05.000000Z", "2025-01-02T03:04:05.000000Z")
        assert (told["source_headers"], told["object_version"]) == (["date: x"], "v1")


async def test_a_document_without_an_address_fails_by_name_and_nobody_is_asked() -> None:
    bench = FetcherWithFakes()
    unaddressed = task()
    unaddressed.request = unaddressed.request.model_copy(update={"source_path": ""})
    told = [event for _, event in await bench.handle(unaddressed)]
    assert [event["error_code"] for event in told] == ["no_address", "no_address"]
    assert all("address" in event["error_message"] for event in told)


async def test_a_document_whose_case_was_deleted_meanwhile_is_removed_and_told_to_nobody() -> None:
    fetcher = FetcherWithFakes(STORED)
    fetcher.deleted_cases.deleted = True
    assert await fetcher.handle(task()) == []
    assert fetcher.deleted_cases.cleaned == ["1000145-91.2023.8.26.0597"]


async def test_a_failure_of_a_document_whose_case_was_deleted_leaves_no_dead_letter() -> None:
    fetcher = FetcherWithFakes(NoAccess())
    fetcher.deleted_cases.deleted = True
    assert await fetcher.handle(task()) == []
