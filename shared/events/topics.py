"""The topics: their names, partitions, retention, and which events each may carry.

Three kinds. Work (``*.requested``, ``*.retry.*``, ``webhook.subscribed``) is kept for 14 days, since a consumer may be
away that long. Facts for other systems (process.completed, webhook.events) and dead letters are kept for 30 days.
document.events is kept for ever unless AUTOS_EVENT_RETENTION_DAYS is set (ops/provision.py): the projection is rebuilt
from it as far as it goes (docs/adr/0040-projection-without-all-events.md).

A record's key is the event's ``key()``: what has one key keeps its order. murmur2 places it, as in Java's client
(shared/kafka/config.py). Partitions are not added lightly: docs/adr/0017-windows.md says what relies on their
number. There is a retry topic for each delay, so that nothing that is due waits behind what is not.

A new event: its model in a module of its own, its place in :data:`EVENTS`, then ``make schemas``. The readers of each
topic are in :mod:`shared.events.flow`, the rights that follow from both in ops/topic_access.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from shared.events.document_events import (
    DocumentAvailable,
    DocumentFailed,
    DocumentStarted,
    JobAborted,
    JobPlanned,
)
from shared.events.document_requested import DocumentDead, DocumentRequested
from shared.events.envelope import Event
from shared.events.process_completed import ProcessCompleted
from shared.events.process_requested import ProcessDead, ProcessRequested
from shared.events.source_events import SourceDegraded, SourceRecovered
from shared.events.webhook_events import EndpointDisabled, WebhookAttemptFailed, WebhookDelivered, WebhookExhausted
from shared.events.webhook_retry import WebhookRetry
from shared.events.webhook_subscribed import (
    CaseAsked,
    EndpointChanged,
    EndpointEnableRequested,
    RedeliveryRequested,
    WebhookSubscribed,
)
from shared.records import TopicSpec

PROCESS_REQUESTED: Final = "process.requested"
PROCESS_DEAD: Final = "process.dead"
DOCUMENT_REQUESTED: Final = "document.requested"
DOCUMENT_DEAD: Final = "document.dead"
DOCUMENT_EVENTS: Final = "document.events"
PROCESS_COMPLETED: Final = "process.completed"
WEBHOOK_SUBSCRIBED: Final = "webhook.subscribed"
WEBHOOK_EVENTS: Final = "webhook.events"
WEBHOOK_DEAD: Final = "webhook.dead"


DEAD_TOPICS: Final = (DOCUMENT_DEAD, PROCESS_DEAD, WEBHOOK_DEAD)
"""Where lies what was given up."""


@dataclass(frozen=True)
class Tier:
    """A retry topic and its nominal delay in seconds."""

    topic: str
    delay: float


PROCESS_RETRY: Final = (
    Tier("process.retry.5s", 5),
    Tier("process.retry.30s", 30),
    Tier("process.retry.2m", 120),
)
DOCUMENT_RETRY: Final = (
    Tier("document.retry.5s", 5),
    Tier("document.retry.30s", 30),
    Tier("document.retry.2m", 120),
)
WEBHOOK_RETRY: Final = (
    Tier("webhook.retry.5s", 5),
    Tier("webhook.retry.30s", 30),
    Tier("webhook.retry.2m", 120),
    Tier("webhook.retry.10m", 600),
    Tier("webhook.retry.1h", 3600),
    Tier("webhook.retry.6h", 21600),
)


def tier_for(delay: float, tiers: tuple[Tier, ...]) -> Tier:
    """The topic whose nominal delay is the largest that does not exceed ``delay`` seconds, else the shortest."""
    fitting = [tier for tier in tiers if tier.delay <= delay]
    return max(fitting, key=lambda tier: tier.delay) if fitting else min(tiers, key=lambda tier: tier.delay)


EVENTS: Final[dict[str, tuple[type[Event], ...]]] = {
    PROCESS_REQUESTED: (ProcessRequested,),
    **{tier.topic: (ProcessRequested,) for tier in PROCESS_RETRY},
    PROCESS_DEAD: (ProcessDead,),
    DOCUMENT_REQUESTED: (DocumentRequested,),
    **{tier.topic: (DocumentRequested,) for tier in DOCUMENT_RETRY},
    DOCUMENT_DEAD: (DocumentDead,),
    DOCUMENT_EVENTS: (JobPlanned, JobAborted, DocumentStarted, DocumentAvailable, DocumentFailed),
    PROCESS_COMPLETED: (ProcessCompleted,),
    WEBHOOK_SUBSCRIBED: (
        WebhookSubscribed,
        RedeliveryRequested,
        EndpointEnableRequested,
        EndpointChanged,
        CaseAsked,
    ),
    **{tier.topic: (WebhookRetry,) for tier in WEBHOOK_RETRY},
    WEBHOOK_EVENTS: (
        WebhookDelivered,
        WebhookAttemptFailed,
        WebhookExhausted,
        EndpointDisabled,
        SourceDegraded,
        SourceRecovered,
    ),
    WEBHOOK_DEAD: (WebhookExhausted,),
}
"""What each topic carries. A dead topic also holds poison records, as they came, with ``autos_error`` headers."""


def _retention(kept: timedelta) -> dict[str, str]:
    return {"cleanup.policy": "delete", "retention.ms": str(int(kept.total_seconds() * 1000))}


_WORK: Final = _retention(timedelta(days=14))
_KEPT: Final = _retention(timedelta(days=30))
_FOREVER: Final = {"cleanup.policy": "delete", "retention.ms": "-1"}

DOCUMENT_PARTITIONS: Final = 12
EVENT_PARTITIONS: Final = 12

TOPICS: Final[tuple[TopicSpec, ...]] = (
    TopicSpec(PROCESS_REQUESTED, 6, _WORK),
    *(TopicSpec(tier.topic, 3, _WORK) for tier in PROCESS_RETRY),
    TopicSpec(PROCESS_DEAD, 1, _KEPT),
    TopicSpec(DOCUMENT_REQUESTED, DOCUMENT_PARTITIONS, _WORK),
    # As many as document.requested, so that one worker has all records of a case (docs/adr/0017-windows.md).
    *(TopicSpec(tier.topic, DOCUMENT_PARTITIONS, _WORK) for tier in DOCUMENT_RETRY),
    TopicSpec(DOCUMENT_DEAD, 3, _KEPT),
    # The projection is rebuilt from it, so it is kept unless provisioning is told otherwise.
    TopicSpec(DOCUMENT_EVENTS, EVENT_PARTITIONS, _FOREVER),
    TopicSpec(PROCESS_COMPLETED, 6, _KEPT),
    TopicSpec(WEBHOOK_SUBSCRIBED, 6, _WORK),
    *(TopicSpec(tier.topic, 3, _WORK) for tier in WEBHOOK_RETRY),
    TopicSpec(WEBHOOK_EVENTS, 6, _KEPT),
    TopicSpec(WEBHOOK_DEAD, 1, _KEPT),
)
