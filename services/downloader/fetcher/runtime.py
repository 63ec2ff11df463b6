"""Puts the fetcher together: its consumer, its handler, its transfers. Its limits stand in case_concurrency.py."""

from __future__ import annotations

from services.downloader.cancellations import Cancellations
from services.downloader.context import WorkerContext
from services.downloader.fetcher.case_concurrency import fetcher_limits
from services.downloader.fetcher.document_store import DocumentStore
from services.downloader.fetcher.duplicates import Duplicates
from services.downloader.fetcher.endings import Endings
from services.downloader.fetcher.handler import Fetcher
from services.downloader.fetcher.start_events import GATHER_SECONDS, StartEvents
from services.downloader.fetcher.task import FetchTask, decode
from services.downloader.fetcher.transfer import Transfer
from services.downloader.source_share.connected_sources import ConnectedSources
from shared.events.flow import READERS
from shared.events.topics import DOCUMENT_DEAD, DOCUMENT_REQUESTED, DOCUMENT_RETRY
from shared.kafka.consumer.dead_letter import to_topic
from shared.kafka.consumer.handling import Handling
from shared.kafka.consumer.producer_sink import ProducerSink
from shared.kafka.consumer.runtime import ConsumerRuntime


def fetcher_runtime(
    context: WorkerContext, sources: ConnectedSources, starts: StartEvents, cancellations: Cancellations
) -> ConsumerRuntime[FetchTask]:
    """The runtime that reads document.requested and its retry topics."""
    settings = context.settings
    document_store = DocumentStore(context.store)
    transfer = Transfer(
        sources,
        document_store,
        Duplicates(context.database, document_store),
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
        sink=ProducerSink(context.producer, gather_seconds=GATHER_SECONDS),
        limits=fetcher_limits(settings),
        clock=context.clock,
        metrics=context.kafka_metrics,
    )
