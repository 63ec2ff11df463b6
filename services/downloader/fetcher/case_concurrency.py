"""How many documents of one case are fetched at once, and how many of all cases.

The records of a case have the same partition number in every topic, and range assignment gives that number to one
worker, so one worker has them all. In that worker the consumer runtime serves groups in turn
(shared/kafka/consumer/fair_group_queue.py), a case is a group, and a group has at most AUTOS_DOWNLOAD_PER_PROCESS
handlers at once (services/downloader/settings.py has the number), for whichever jobs and clients. A large case
therefore delays no small one by more than a turn. How many requests all workers have
open at the source together is another matter: source_share/request_share.py and sources/gate.
"""

from __future__ import annotations

from typing import Final

from services.downloader.settings import DownloaderSettings
from shared.events.document_requested import DocumentRequested
from shared.kafka.consumer.limits import RuntimeLimits

_WAIT_AT_THE_GATE: Final = 2_000
"""Documents that may wait for their turn at the source, besides those under way: each is a record and a coroutine."""


def group_of(request: DocumentRequested) -> str:
    """Documents take turns by case, whoever asks for them and how often."""
    return request.process_number


def fetcher_limits(settings: DownloaderSettings) -> RuntimeLimits:
    """The limits of the fetcher's runtime."""
    return RuntimeLimits(
        per_group=settings.download_per_process,
        # They wait at the gate, which knows how many may ask, and of which cases.
        max_in_flight=settings.download_concurrency + _WAIT_AT_THE_GATE,
        max_buffered_per_partition=settings.download_read_ahead,
        shutdown_seconds=settings.shutdown_seconds,
    )
