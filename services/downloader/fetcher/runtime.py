"""Puts the fetcher together: its consumer, its handler, its transfers. Its limits stand in case_concurrency.py."""

from __future__ import annotations

from typing import Final

from services.downloader.cancellations import Cancellations
from services.downloader.context import WorkerContext
from services.downloader.fetcher.case_concurrency import fetcher_limits
from services.downloader.fetcher.document_store import DocumentStore
from services.downloader.fetcher.duplicates import Duplicates
from services.downloader.fetcher.endings import Endings
from services.downloader.fetcher.handler import Fetcher
from services.downloader.fetcher.start_events import StartEvents
from services.downloader.fetcher.task import FetchTask, decode
from services.downloader.fetcher.transfer import Transfer
from services.downloader.source_share.connected_sources import ConnectedSources
from shared.events.flow import READERS
from shared.events.topics import DOCUMENT_DEAD, DOCUMENT_REQUESTED, DOCUMENT_RETRY, EVENT_PARTITIONS
from shared.kafka.consumer.dead_letter import to_topic
from shared.kafka.consumer.gathered_answers import GatherSeconds
from shared.kafka.consumer.handling import Handling
from shared.kafka.consumer.producer_sink import ProducerSink
from shared.kafka.consumer.runtime import ConsumerRuntime
from shared.kafka.partitioner import partition_of
from shared.storage.known_puts import make_known_puts

GATHER_SECONDS: Final = GatherSeconds(first=0.1, longest=0.5)
"""How long an outcome waits for others. A request to the broker and a transaction of the projection cost more than an
event, and few clients see that a document is there half a second later; the last one of a case waits for nobody."""


def _lane_of(task: FetchTask) -> int:
    """The partition of the job's events. Where the topic was given more of them, answers share fewer requests."""
    return partition_of(task.request.job_id, EVENT_PARTITIONS)


def fetcher_runtime(
    context: WorkerContext, sources: ConnectedSources, starts: StartEvents, cancellations: Cancellations
) -> ConsumerRuntime[FetchTask]:
    """The runtime that reads document.requested and its retry topics."""
    settings = context.settings
    document_store = DocumentStore(context.store, make_known_puts(settings, context.clock))
    duplicates = Duplicates(context.database, document_store)
    transfer = Transfer(
        sources,
        document_store,
        duplicates,
        spool_dir=settings.spool_dir,
        metrics=context.metrics,
        stored_at_once=settings.download_concurrency,
    )
    endings = Endings(
        context.event_records, starts, cancellations, delays=settings.download_retry_delays, metrics=context.metrics
    )
    fetcher = Fetcher(
        context.database,
        transfer,
        document_store,
        endings,
        duplicates,
        cancellations=cancellations,
        deleted_cases=context.deleted_cases,
        metrics=context.metrics,
    )
    return ConsumerRuntime(
        "fetcher",
        consumer=context.consumer("fetcher"),
        topics=list(READERS["downloader"]["fetcher"]),
        handling=Handling(
            decode=decode,
            handler=fetcher.handle,
            dead_letter=to_topic(DOCUMENT_DEAD),
            on_given_up=context.dead_letter_ends.of_document,
            group_of=lambda task: task.group,
            not_before=lambda task: task.not_before,
            longest_wait=context.longest_waits(DOCUMENT_REQUESTED, DOCUMENT_RETRY),
            prepare=fetcher.prepare,
            cancel_at_once=lambda task: task.gate_wait.waiting,
        ),
        sink=ProducerSink(context.producer, gather=GATHER_SECONDS, lane_of=_lane_of, review=fetcher.review),
        limits=fetcher_limits(settings),
        clock=context.clock,
        metrics=context.kafka_metrics,
    )
