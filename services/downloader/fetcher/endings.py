"""How one handling of a document ends: the records that follow from it. Whatever happens, its job hears of its end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import cast

from services.downloader.cancellations import Cancellations
from services.downloader.catalog_queries import ProjectedDocument
from services.downloader.event_records import EventRecords, StoredBytes
from services.downloader.fetcher.start_events import StartEvents
from services.downloader.fetcher.task import FetchTask
from services.downloader.metrics import DownloaderMetrics
from services.downloader.retry_policy import GiveUp, TryAgain, after_failure
from shared.events.document_requested import DocumentRequested
from shared.kafka.consumer.handling import Done
from shared.records import OutgoingRecord
from sources.errors import SourceError


class Endings:
    """Makes the handler's answers, and counts them. ``delays``: seconds before the second, third, … attempt."""

    def __init__(
        self,
        event_records: EventRecords,
        starts: StartEvents,
        cancellations: Cancellations,
        *,
        delays: Sequence[float],
        metrics: DownloaderMetrics,
    ) -> None:
        self._event_records = event_records
        self._starts = starts
        self._cancellations = cancellations
        self._delays = tuple(delays)
        self._metrics = metrics

    def is_last(self, request: DocumentRequested) -> bool:
        """Whether no further attempt follows this one."""
        return request.attempt > len(self._delays)

    def began(self, task: FetchTask) -> None:
        """The source is about to be asked: say so once, in the first attempt, when it takes longer than a moment."""
        if task.request.attempt == 1 and task.started_at is None:
            task.started_at = self._starts.began(task.request, task.traceparent)

    def available(self, task: FetchTask, stored: StoredBytes) -> Done:
        """The document is in the store now."""
        self._metrics.documents.labels("available").inc()
        request = task.request
        if (replaced_at := self._replaced_at(task, stored)) is not None:
            stored = replace(stored, replaced_at=replaced_at)
        self._starts.ended(request)
        event = self._event_records.available(
            request,
            stored,
            attempts=request.attempt,
            traceparent=task.traceparent,
            started_at=task.started_at,
            lost=task.lost,
        )
        return Done([event])

    def already_available(self, task: FetchTask, known: ProjectedDocument, stored: StoredBytes) -> Done:
        """The document was in the store before: nothing is downloaded."""
        self._metrics.documents.labels("already_available").inc()
        attempts = max(1, known.attempts)
        return Done(
            [self._event_records.available(task.request, stored, attempts=attempts, traceparent=task.traceparent)]
        )

    def failed(self, task: FetchTask, error: SourceError) -> Done:
        """The next attempt through a retry topic, or the document's end and its dead letter.

        Which of them: ``after_failure`` decides, from the error and the attempt alone.
        """
        request, traceparent = task.request, task.traceparent
        match after_failure(error, attempt=request.attempt, delays=self._delays):
            case TryAgain(attempt, delay, code):
                self._metrics.retries.labels(code).inc()
                # The next window is asked for now, and not again by the next attempt.
                alone = request.model_copy(update={"plan_id": None, "release_after": None})
                return Done(
                    [
                        self._event_records.retry(
                            alone, attempt=attempt, delay=delay, error=code, traceparent=traceparent
                        )
                    ]
                )
            case GiveUp(code, message):
                self._metrics.documents.labels("failed").inc()
                self._starts.ended(request)
                return Done(
                    [
                        self._event_records.failed(
                            request, code, message, traceparent, started_at=task.started_at, lost=task.lost
                        ),
                        self._event_records.document_dead(request, code, message, traceparent),
                    ]
                )

    def refused(self, task: FetchTask, code: str, message: str) -> Done:
        """The dead letter of a request that no planner makes. No job waits for this document, so none hears of it."""
        self._metrics.documents.labels("refused").inc()
        return Done([self._event_records.document_dead(task.request, code, message, task.traceparent)])

    def cancelled(self, task: FetchTask) -> Done:
        """Nothing: api has announced the job's end with the cancellation."""
        self._starts.ended(task.request)
        self._metrics.documents.labels("cancelled").inc()
        return Done()

    def deleted(self, task: FetchTask) -> Done:
        """Nothing: the case was deleted, and no record may name it again."""
        self._starts.ended(task.request)
        self._metrics.documents.labels("deleted").inc()
        return Done()

    def with_next_window(self, task: FetchTask, done: Done) -> Done:
        """The answer, and the request for the next window when this document is the one that makes it."""
        request = task.request
        if request.plan_id is None or request.release_after is None or request.job_id in self._cancellations:
            return done
        asked = self._event_records.resumed(
            request.job_id, request.process_number, request.plan_id, request.release_after, task.traceparent
        )
        return Done([*cast(Sequence[OutgoingRecord], done.emit), asked], urgent=True)

    def _replaced_at(self, task: FetchTask, stored: StoredBytes) -> datetime | None:
        """Now, unless the listing changed and the bytes did not."""
        before = task.replaces
        if before is None:
            return None
        return before.replaced_at if before.sha256 == stored.sha256 else self._event_records.now()


def stored_bytes(known: ProjectedDocument) -> StoredBytes | None:
    """The object that the projection has of a document; None when it was recorded without what an event needs."""
    if known.object_key is None or known.sha256 is None or known.size is None or known.content_type is None:
        return None
    return StoredBytes(
        object_key=known.object_key,
        sha256=known.sha256,
        size=known.size,
        content_type=known.content_type,
        warnings=known.warnings or (),
        rendition=known.rendition,
        revision=known.revision,
        replaced_at=known.replaced_at,
        fetched_at=known.fetched_at,
        source_headers=known.source_headers or (),
        object_version=known.object_version,
    )
