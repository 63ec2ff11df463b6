"""The fetcher: handles one DocumentRequested after the other for the consumer runtime.

A document's way: ``prepare`` compares a batch of requests with the catalog; ``handle`` looks whether the bytes are
stored already, else transfer.py brings them; endings.py makes the records that follow. How many documents of a case are
handled at once stands in case_concurrency.py, and what follows from a failure in
:mod:`services.downloader.retry_policy`.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection

from services.downloader.cancellations import Cancellations
from services.downloader.catalog_queries import (
    DocumentKey,
    ListedDocument,
    ProjectedDocument,
    StoredJob,
    find_jobs,
    find_listed,
)
from services.downloader.deleted_cases import DeletedCases
from services.downloader.fetcher.document_store import DocumentStore
from services.downloader.fetcher.duplicates import Duplicates, find_stored
from services.downloader.fetcher.endings import Endings, stored_bytes
from services.downloader.fetcher.task import FetchTask
from services.downloader.fetcher.transfer import Transfer, TransferOptions
from services.downloader.metrics import DownloaderMetrics
from shared.db.deletions import find_deleted_jobs
from shared.db.engine import Database
from shared.errors import ProcessingError
from shared.events.document_requested import DocumentRequested
from shared.kafka.consumer.handling import Done
from shared.storage.store import object_key
from shared.tracing.conventions import ATTEMPT, DOCUMENT_ID, JOB_ID
from shared.tracing.spans import annotate
from sources.errors import NoAddress, RetryableError, SourceError
from sources.gate.slot import WaitEnded

_log = logging.getLogger(__name__)


class _Known(NamedTuple):
    """What the database says of a batch of requests."""

    listed: dict[DocumentKey, ListedDocument]
    jobs: dict[str, StoredJob]
    deleted: frozenset[str]
    stored: dict[str, dict[str, str]]
    """By case: which object has which bytes."""


class HandlingFailed(RetryableError):
    """Raised for an unexpected exception: it counts as an answer about this document, so that its job ends."""

    CODE = "internal_error"
    MESSAGE = "the document could not be handled"


class Fetcher:
    """The handler of the fetcher's runtime, and its ``prepare``."""

    def __init__(
        self,
        database: Database,
        transfer: Transfer,
        document_store: DocumentStore,
        endings: Endings,
        duplicates: Duplicates,
        *,
        cancellations: Cancellations,
        deleted_cases: DeletedCases,
        metrics: DownloaderMetrics,
    ) -> None:
        self._database = database
        self._deleted_cases = deleted_cases
        self._transfer = transfer
        self._document_store = document_store
        self._endings = endings
        self._duplicates = duplicates
        self._cancellations = cancellations
        self._metrics = metrics

    async def prepare(self, tasks: Sequence[FetchTask]) -> list[Done | None]:
        """Ask once for a batch what is available already, which jobs are cancelled and which requests are forged.

        The last two need no handling. Raises InfrastructureAway.
        """
        keys = {_key(task.request) for task in tasks}
        wanted = {task.request.job_id for task in tasks}

        cases = self._duplicates.unknown({task.request.process_number for task in tasks})

        def ask(connection: Connection) -> _Known:
            return _Known(
                find_listed(connection, keys),
                find_jobs(connection, wanted),
                find_deleted_jobs(connection, wanted),
                find_stored(connection, cases),
            )

        listed, jobs, deleted, stored = await self._database.autocommit(ask)
        self._duplicates.learn(stored)
        self._cancellations.note(wanted, {job_id for job_id, job in jobs.items() if job.cancelled} | deleted)
        # One of them may have stored its document, and been killed before it asked whether its case still is.
        for number in {task.request.process_number for task in tasks if task.request.job_id in deleted}:
            await self._deleted_cases.clean(number)
        early = [
            self._endings.deleted(task)
            if task.request.job_id in deleted
            else self._check(task, listed.get(_key(task.request)), jobs.get(task.request.job_id))
            for task in tasks
        ]
        return [
            None if done is None else self._endings.with_next_window(task, done)
            for task, done in zip(tasks, early, strict=True)
        ]

    async def handle(self, task: FetchTask) -> Done:
        """The end of one document, or its next attempt. Waits while the source is away, for as long as that takes.

        A cancelled job ends the wait. Safe to repeat: a document that is stored already is not fetched again.

        Raises InfrastructureAway when the database, the object store or the disk is away: the record is held.
        """
        annotate({JOB_ID: task.request.job_id, DOCUMENT_ID: task.request.document_id, ATTEMPT: task.request.attempt})
        if not task.checked:
            (early,) = await self.prepare([task])
            if early is not None:
                return early
        if self._is_cancelled(task.request):
            return self._endings.cancelled(task)
        found = await self._from_store(task, task.stored) if task.stored is not None else None
        if found is not None:
            return self._endings.with_next_window(task, found)
        leave = task.gate_wait.leave if not task.request.refetch else _stay
        with self._cancellations.watched(task.request.job_id, leave):
            done = await self._fetch(task)
        task.fetched = True
        return self._endings.with_next_window(task, done)

    async def review(self, answers: Sequence[tuple[FetchTask, Done]]) -> list[Done]:
        """The answers that may be written: none of a case that was deleted meanwhile, and nothing stays of it.

        Asked when the documents are stored and before anything is written of them. Raises InfrastructureAway.
        """
        fetched = {task.request.job_id for task, _ in answers if task.fetched}
        deleted = await self._deleted_cases.among(fetched) if fetched else frozenset[str]()
        for number in {task.request.process_number for task, _ in answers if task.request.job_id in deleted}:
            await self._deleted_cases.clean(number)
        return [self._endings.deleted(task) if task.request.job_id in deleted else done for task, done in answers]

    def _check(self, task: FetchTask, listed: ListedDocument | None, job: StoredJob | None) -> Done | None:
        """Take from the catalog where the document is; an answer when it needs no handling."""
        request = task.request
        if job is not None and job.process_number != request.process_number:
            return self._endings.refused(task, "wrong_case", "the job is about another case")
        if self._is_cancelled(request):
            return self._endings.cancelled(task)
        if listed is None:
            return self._endings.refused(task, "unknown_document", "the case has no such document")
        # What the catalog says counts, whatever the record says: where it is fetched, and where it is stored.
        path, key = listed.source_path or "", object_key(request.process_number, request.document_id)
        if (request.source_path, request.name, request.object_key) != (path, listed.name, key):
            changed = {"source_path": path, "name": listed.name, "object_key": key}
            task.request = request.model_copy(update=changed)
        task.checked = True
        task.stored = listed.stored
        task.source = listed.source
        return None

    def _is_cancelled(self, request: DocumentRequested) -> bool:
        """Not what is fetched to mend the store: it is the case's, whatever became of the job that asked first."""
        return request.job_id in self._cancellations and not request.refetch

    async def _from_store(self, task: FetchTask, known: ProjectedDocument) -> Done | None:
        """The end of a document that is stored already; None when it is not there as recorded."""
        stored = stored_bytes(known)
        if stored is None:
            return None
        if known.revision < task.request.revision:
            task.replaces = known
            return None
        if task.request.refetch or not await self._document_store.has(stored.object_key, stored.size):
            task.lost, task.replaces = True, known
            self._metrics.documents.labels("lost").inc()
            return None
        return self._endings.already_available(task, known, stored)

    async def _fetch(self, task: FetchTask) -> Done:
        request = task.request
        if not request.source_path:
            return self._endings.failed(task, NoAddress())
        options = TransferOptions(last=self._endings.is_last(request), replaces=task.replaces, source=task.source)
        try:
            stored = await self._transfer.run(request, lambda: self._endings.began(task), task.gate_wait, options)
        except SourceError as error:
            return self._endings.failed(task, error)
        except WaitEnded:
            return self._endings.cancelled(task)
        except ProcessingError:
            raise
        # The edge of one document: a bug about one of them must neither end the worker nor leave a job without end.
        except Exception as error:  # noqa: BLE001
            _log_bug(request, error)
            return self._endings.failed(task, HandlingFailed(f"{HandlingFailed.MESSAGE} ({type(error).__name__})"))
        return self._endings.available(task, stored)


def _log_bug(request: DocumentRequested, error: Exception) -> None:
    # Not the message: it may quote what is nobody's business.
    where = traceback.extract_tb(error.__traceback__)[-1]
    _log.error(
        "A document could not be handled, which counts as a failed attempt",
        extra={
            "document_id": request.document_id,
            "error": type(error).__name__,
            "where": f"{where.filename}:{where.lineno}",
        },
    )


def _stay() -> None:
    """What is fetched to mend the store stays when its job is cancelled."""


def _key(request: DocumentRequested) -> DocumentKey:
    return DocumentKey(request.process_number, request.document_id)
