"""The fetcher: handles one DocumentRequested after the other for the consumer runtime.

What it decides is in :mod:`services.downloader.failures`; how a document travels, in
:mod:`services.downloader.fetcher.transfer`. Whatever happens to a document, its job hears of its end.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import cast

from sqlalchemy import Connection

from services.downloader.cancellations import Cancellations
from services.downloader.catalog_reads import (
    DocumentKey,
    ListedDocument,
    StoredDocument,
    StoredJob,
    find_jobs,
    find_listed,
)
from services.downloader.failures import GiveUp, TryAgain, after_failure
from services.downloader.fetcher.started import Starts
from services.downloader.fetcher.transfer import Terms, Transfer, Transferred
from services.downloader.fetcher.upload import Shelf
from services.downloader.metrics import DownloaderMetrics
from services.downloader.records import Reports
from shared.db.engine import Database
from shared.domain.case import PDPJ
from shared.errors import ProcessingError
from shared.events.document_requested import DocumentRequested
from shared.events.envelope import decoder, traceparent
from shared.kafka.consumer.handling import Done
from shared.records import OutgoingRecord, Record
from shared.storage.store import object_key
from sources.errors import NoAddress, RetryableError, SourceError
from sources.gate.limiter import LeftLine, Turn

_log = logging.getLogger(__name__)

_decode = decoder(DocumentRequested)


class HandlingFailed(RetryableError):
    """Raised for an exception that nobody expected: as an answer about this document, so that its job ends."""

    CODE = "internal_error"
    MESSAGE = "the document could not be handled"


@dataclass(slots=True)
class FetchTask:
    """A document to fetch, with what was learned about it on the way to its turn."""

    request: DocumentRequested
    traceparent: str | None = None
    told_start: bool = False
    checked: bool = False
    """Whether the request was compared with the catalog, which says where the document is and how it is called."""
    source: str = PDPJ
    """The name of the source that lists the document."""
    stored: StoredDocument | None = None
    """What is said to be in the object store: an earlier delivery of this record or another job brought it."""
    lost: bool = False
    """It was said to be available, and is not in the object store as it was recorded."""
    turn: Turn = field(default_factory=Turn)
    """Its waiting at the gate."""
    replaces: StoredDocument | None = None
    """What was stored of the document: of an earlier listing, or gone."""

    @property
    def group(self) -> str:
        """Documents take turns by case, whoever asks for them and how often: so many of a case at once."""
        return self.request.process_number

    @property
    def not_before(self) -> float | None:
        """Seconds since the epoch."""
        due = self.request.not_before
        return None if due is None else due.timestamp()


def decode(record: Record) -> FetchTask:
    """Raises PoisonRecord."""
    return FetchTask(_decode(record), traceparent(record))


class Fetcher:
    """The handler of the fetcher's runtime, and its ``prepare``."""

    def __init__(
        self,
        database: Database,
        transfer: Transfer,
        shelf: Shelf,
        *,
        reports: Reports,
        starts: Starts,
        cancellations: Cancellations,
        delays: Sequence[float],
        metrics: DownloaderMetrics,
    ) -> None:
        self._database = database
        self._transfer = transfer
        self._shelf = shelf
        self._reports = reports
        self._starts = starts
        self._cancellations = cancellations
        self._delays = tuple(delays)
        self._metrics = metrics

    async def prepare(self, tasks: Sequence[FetchTask]) -> list[Done | None]:
        """Ask once for a batch what is said to be available already, which jobs are cancelled and which requests are
        not ours to fulfil: the last two need no handling. Raises InfrastructureAway.
        """
        keys = {_key(task.request) for task in tasks}
        wanted = {task.request.job_id for task in tasks}

        def ask(connection: Connection) -> tuple[dict[DocumentKey, ListedDocument], dict[str, StoredJob]]:
            return find_listed(connection, keys), find_jobs(connection, wanted)

        listed, jobs = await self._database.autocommit(ask)
        self._cancellations.note(wanted, {job_id for job_id, job in jobs.items() if job.cancelled})
        early = [self._early(task, listed.get(_key(task.request)), jobs.get(task.request.job_id)) for task in tasks]
        return [None if done is None else self._and_next(task, done) for task, done in zip(tasks, early, strict=True)]

    def _and_next(self, task: FetchTask, done: Done) -> Done:
        """An outcome, and the question for the next window when this document is the one that asks it."""
        request = task.request
        if request.plan_id is None or request.release_after is None or request.job_id in self._cancellations:
            return done
        asked = self._reports.resumed(
            request.job_id, request.process_number, request.plan_id, request.release_after, task.traceparent
        )
        return Done([*cast(Sequence[OutgoingRecord], done.emit), asked], urgent=True)

    def _early(self, task: FetchTask, listed: ListedDocument | None, job: StoredJob | None) -> Done | None:
        request = task.request
        if job is not None and job.process_number != request.process_number:
            return self._refused(task, "wrong_case", "the job is about another case")
        if self._is_cancelled(request):
            return self._cancelled()
        if listed is None:
            return self._refused(task, "unknown_document", "the case has no such document")
        # What the catalog says counts, whatever the record says: where it is fetched, and where it is stored.
        task.request = request.model_copy(
            update={
                "source_path": listed.source_path or "",
                "name": listed.name,
                "object_key": object_key(request.process_number, request.document_id),
            }
        )
        task.checked = True
        task.stored = listed.stored
        task.source = listed.source
        return None

    async def _from_store(self, task: FetchTask, stored: StoredDocument) -> Done | None:
        """Tell the end of what is there, so that nothing is downloaded; None when it is not there as recorded."""
        request, key = task.request, stored.object_key
        sha256, size, content_type = stored.sha256, stored.size, stored.content_type
        if key is None or sha256 is None or size is None or content_type is None:
            return None
        if stored.revision < request.revision:
            task.replaces = stored
            return None
        if request.refetch or not await self._shelf.has(key, size):
            task.lost, task.replaces = True, stored
            self._metrics.documents.labels("lost").inc()
            return None
        self._metrics.documents.labels("already_available").inc()
        told = self._reports.available(
            request,
            object_key=key,
            sha256=sha256,
            size=size,
            content_type=content_type,
            attempts=max(1, stored.attempts),
            traceparent=task.traceparent,
            warnings=stored.warnings or (),
            rendition=stored.rendition,
            revision=stored.revision,
            replaced_at=stored.replaced_at,
        )
        return Done([told])

    def _refused(self, task: FetchTask, code: str, message: str) -> Done:
        """The dead letter of a request that no planner makes. No job waits for this document, so none is told."""
        self._metrics.documents.labels("refused").inc()
        return Done([self._reports.document_dead(task.request, code, message, task.traceparent)])

    async def handle(self, task: FetchTask) -> Done:
        """Waits while the source is away. Raises InfrastructureAway when the record is to be held."""
        if not task.checked:
            (early,) = await self.prepare([task])
            if early is not None:
                return early
        if self._is_cancelled(task.request):
            return self._cancelled()
        found = await self._from_store(task, task.stored) if task.stored is not None else None
        if found is not None:
            return self._and_next(task, found)
        leave = task.turn.leave if not task.request.refetch else _stay
        with self._cancellations.watched(task.request.job_id, leave):
            return self._and_next(task, await self._fetch(task))

    def _is_cancelled(self, request: DocumentRequested) -> bool:
        """Not what is fetched to mend the store: it is the case's, whatever became of the job that asked first."""
        return request.job_id in self._cancellations and not request.refetch

    def _cancelled(self) -> Done:
        # The job's end is told already: by api, with the cancellation.
        self._metrics.documents.labels("cancelled").inc()
        return Done()

    async def _fetch(self, task: FetchTask) -> Done:
        request = task.request
        if not request.source_path:
            return self._after(task, NoAddress())
        try:
            terms = Terms(last=request.attempt > len(self._delays), replaces=task.replaces, source=task.source)
            stored = await self._transfer.run(request, lambda: self._tell_start(task), task.turn, terms)
        except SourceError as error:
            return self._after(task, error)
        except LeftLine:
            return self._cancelled()
        except ProcessingError:
            raise
        # The edge of one document: a bug about one of them must neither end the worker nor leave a job without end.
        except Exception as error:  # noqa: BLE001
            # Not the message: it may quote what is nobody's business.
            where = traceback.extract_tb(error.__traceback__)[-1]
            _log.error(
                "document not handled",
                extra={
                    "document_id": request.document_id,
                    "error": type(error).__name__,
                    "where": f"{where.filename}:{where.lineno}",
                },
            )
            return self._after(task, HandlingFailed(f"{HandlingFailed.MESSAGE} ({type(error).__name__})"))
        self._metrics.documents.labels("available").inc()
        return Done(
            [
                *self._starts.take(request),
                self._reports.available(
                    request,
                    object_key=stored.object_key,
                    sha256=stored.sha256,
                    size=stored.size,
                    content_type=stored.content_type,
                    attempts=request.attempt,
                    traceparent=task.traceparent,
                    warnings=stored.warnings,
                    revision=request.revision,
                    replaced_at=self._replaced_at(task, stored),
                    lost=task.lost,
                ),
            ]
        )

    def _replaced_at(self, task: FetchTask, stored: Transferred) -> datetime | None:
        """Now, unless the listing changed and the bytes did not."""
        before = task.replaces
        if before is None:
            return None
        return before.replaced_at if before.sha256 == stored.sha256 else self._reports.now()

    def _tell_start(self, task: FetchTask) -> None:
        if task.request.attempt == 1 and not task.told_start:
            task.told_start = True
            self._starts.tell(task.request, self._reports.started(task.request, task.traceparent))

    def _after(self, task: FetchTask, error: SourceError) -> Done:
        request, traceparent = task.request, task.traceparent
        match after_failure(error, attempt=request.attempt, delays=self._delays):
            case TryAgain(attempt, delay, code):
                self._metrics.retries.labels(code).inc()
                # The next window is asked for now, and not again by the next attempt.
                alone = request.model_copy(update={"plan_id": None, "release_after": None})
                return Done(
                    [self._reports.retry(alone, attempt=attempt, delay=delay, error=code, traceparent=traceparent)]
                )
            case GiveUp(code, message):
                self._metrics.documents.labels("failed").inc()
                return Done(
                    [
                        *self._starts.take(request),
                        self._reports.failed(request, code, message, traceparent, lost=task.lost),
                        self._reports.document_dead(request, code, message, traceparent),
                    ]
                )


def _stay() -> None:
    """What is fetched to mend the store stays when its job is cancelled."""


def _key(request: DocumentRequested) -> DocumentKey:
    return DocumentKey(request.process_number, request.document_id)
