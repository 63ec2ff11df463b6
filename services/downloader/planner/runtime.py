"""Puts the planner together: its consumer, its handler, its transactions, and how many jobs it plans at once."""

from __future__ import annotations

import socket
from typing import Final

from services.downloader.context import COMPRESSION, WorkerContext
from services.downloader.planner.discovery import Discovery
from services.downloader.planner.handler import Planner
from services.downloader.planner.task import PlanTask, decode, group_of
from services.downloader.planner.transactional_sink import TransactionalSink
from services.downloader.source_share.connected_sources import ConnectedSources
from shared.events.flow import PLANNER_TRANSACTIONS, READERS
from shared.events.topics import PROCESS_DEAD, PROCESS_REQUESTED, PROCESS_RETRY
from shared.kafka.consumer.dead_letter import to_topic
from shared.kafka.consumer.handling import Handling
from shared.kafka.consumer.limits import RuntimeLimits
from shared.kafka.consumer.runtime import ConsumerRuntime
from shared.storage.sizes import ObjectSizes

_READ_AHEAD: Final = 1_000
_PLACES_OF_ONE_GROUP: Final = 0.5
"""Discoveries take at most this share of the planner's places: jobs that need no source do not wait for it."""


def planner_runtime(context: WorkerContext, sources: ConnectedSources) -> ConsumerRuntime[PlanTask]:
    """The runtime that reads process.requested and its retry topics."""
    settings = context.settings
    planner = Planner(
        context.database,
        Discovery(sources, context.database, timeout=settings.discovery_timeout, clock=context.clock),
        ObjectSizes(context.store),
        event_records=context.event_records,
        delays=settings.download_retry_delays,
        window=settings.download_window,
        metrics=context.metrics,
    )
    return ConsumerRuntime(
        "planner",
        consumer=context.consumer("planner"),
        topics=list(READERS["downloader"]["planner"]),
        handling=Handling(
            decode=decode,
            handler=planner.handle,
            dead_letter=to_topic(PROCESS_DEAD),
            on_given_up=context.dead_letter_ends.of_job,
            group_of=lambda task: group_of(task, sources.source_of),
            not_before=lambda task: task.not_before,
            longest_wait=context.longest_waits(PROCESS_REQUESTED, PROCESS_RETRY),
        ),
        sink=TransactionalSink(
            settings.kafka_bootstrap_servers,
            f"{PLANNER_TRANSACTIONS}.{settings.replica}.{socket.gethostname()}",
            COMPRESSION | settings.kafka_config,
        ),
        limits=RuntimeLimits(
            max_in_flight=settings.plan_concurrency,
            per_group=max(1, int(settings.plan_concurrency * _PLACES_OF_ONE_GROUP)),
            max_buffered_per_partition=_READ_AHEAD,
            shutdown_seconds=settings.shutdown_seconds,
        ),
        clock=context.clock,
        metrics=context.kafka_metrics,
    )
