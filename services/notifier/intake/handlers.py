"""What arrives from Kafka: completions, subscriptions, requests of clients, wake-ups. Written in batches, then offered.

Each of these may come twice, in any order, and to any replica.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row

from services.notifier.domain.due_delivery import DueDelivery
from services.notifier.domain.retry_policy import RetryPolicy
from services.notifier.intake import completion_rows, document_batches, feed_rows, registered_rows, request_rows
from services.notifier.metrics import NotifierMetrics
from services.notifier.sending import claim_rows
from services.notifier.sending.dispatcher import DeliveryDispatcher
from shared.clock import Clock
from shared.concurrency.batcher import Batcher
from shared.db.engine import Database
from shared.db.prepared import PreparedCall
from shared.events.envelope import Event
from shared.events.process_completed import ProcessCompleted
from shared.events.webhook_retry import WebhookRetry
from shared.events.webhook_subscribed import (
    CaseAsked,
    EndpointChanged,
    EndpointEnableRequested,
    RedeliveryRequested,
    WebhookSubscribed,
)
from shared.webhooks.facts import DOCUMENTS_TOGETHER

_GATHER_SECONDS: Final = 0.05
"""In which subscriptions gather under load. One that comes before the end of its job makes nothing due."""


@dataclass(frozen=True, slots=True)
class _Written:
    """What a batch made due; ``enabled``: an endpoint was enabled, so the database has more."""

    due: tuple[DueDelivery, ...]
    created: int
    enabled: bool


class Intake:
    """Handles the events that the notifier consumes. A handler returns when the database has its event."""

    def __init__(
        self,
        *,
        database: Database,
        dispatcher: DeliveryDispatcher,
        policy: RetryPolicy,
        clock: Clock,
        metrics: NotifierMetrics,
    ) -> None:
        self._database = database
        self._dispatcher = dispatcher
        self._policy = policy
        self._clock = clock
        self._metrics = metrics
        self._events: Batcher[Event, None] = Batcher(self._take)
        self._subscriptions: Batcher[Event, None] = Batcher(self._take, pause=_GATHER_SECONDS)
        self._wakes: Batcher[WebhookRetry, None] = Batcher(self._wake)

    async def handle(self, event: Event) -> None:
        """A completion, a subscription, or what a client asks. Returns when the database has it.

        Completions and subscriptions that come again change nothing. Events of a moment share a transaction. What is
        due by it is offered to the dispatcher at once, without waiting for the sweeper. Raises InfrastructureAway.
        """
        if isinstance(event, ProcessCompleted) and event.total_documents > DOCUMENTS_TOGETHER:
            # Before the end, and a few at a time: no other event waits for the documents of a large case.
            while await self._announce_documents(event.job_id):
                pass
        batcher = self._subscriptions if isinstance(event, WebhookSubscribed) else self._events
        await batcher.submit(event)

    async def wake(self, event: WebhookRetry) -> None:
        """A delivery is due: offer it, unless its attempt was made meanwhile. Writes nothing. Raises
        InfrastructureAway.
        """
        await self._wakes.submit(event)

    async def _announce_documents(self, job_id: str) -> bool:
        """Announce documents of a job that has ended, some at a time; whether there are more.

        Raises InfrastructureAway; what was committed before stays, and is not announced again.
        """
        made = await self._database.run(
            lambda connection: document_batches.announce_documents(connection, [job_id], self._clock())
        )
        if made.created:
            self._metrics.created.inc(made.created)
        self._dispatcher.offer(made.due)
        return made.more

    async def _take(self, events: Sequence[Event]) -> Sequence[None]:
        taken = await self._database.run(lambda connection: self._write(connection, events))
        if taken.created:
            self._metrics.created.inc(taken.created)
        self._dispatcher.offer(taken.due)
        if taken.enabled:
            self._dispatcher.room_again.set()
        return [None] * len(events)

    def _write(self, connection: Connection, events: Sequence[Event]) -> _Written:
        now = self._clock()
        completed = [event for event in events if isinstance(event, ProcessCompleted)]
        subscribed = [event for event in events if isinstance(event, WebhookSubscribed)]
        asked = [event for event in events if isinstance(event, CaseAsked)]
        jobs = [
            *(event.job_id for event in completed),
            *(event.job_id for event in subscribed),
            *(event.job_id for event in asked),
        ]
        created, due = 0, list[DueDelivery]()
        if jobs:
            # The look is after the lock, which whoever removes a case holds too.
            locked = registered_rows.lock_and_read(connection, jobs, [event.job_id for event in completed])
            if deleted := locked.deleted:
                completed = [event for event in completed if event.job_id not in deleted]
                subscribed = [event for event in subscribed if event.job_id not in deleted]
                asked = [event for event in asked if event.job_id not in deleted]
            first = self._record_ends(connection, completed, locked.interested, now, apart=bool(asked))
            for event in asked:
                registered_rows.subscribe_client(connection, event, now)
                document_batches.subscribe_client_to_batches(connection, event.job_id, event.client_id, now)
            if subscribed:
                first.append(completion_rows.new_subscriptions(subscribed, now))
            ended = [event.job_id for event in completed]
            # The clients' feeds are locked from here to the commit.
            feeds = [feed_rows.missing_events(ended, completed, now)] if completed else []
            created, due = completion_rows.create_deliveries(connection, jobs, now, first=first, then=feeds)
        again = request_rows.ask_again(
            connection, [event for event in events if isinstance(event, RedeliveryRequested)], now, self._policy
        )
        moved = registered_rows.follow_changes(
            connection, [event for event in events if isinstance(event, EndpointChanged)], now
        )
        enable = [event for event in events if isinstance(event, EndpointEnableRequested)]
        released = request_rows.enable_endpoints(connection, [*enable, *moved], now)
        return _Written((*due, *again), created, released > 0)

    @staticmethod
    def _record_ends(
        connection: Connection,
        completed: Sequence[ProcessCompleted],
        interested: Sequence[Row[Any]],
        now: datetime,
        *,
        apart: bool,
    ) -> list[PreparedCall]:
        """Record ends of jobs, after the batches of their documents: whose end is recorded gets no batch any more.

        Where nobody has to be subscribed to either, and nobody reads them before (``apart``), the statements are
        returned, to be sent with the next one.
        """
        if not completed:
            return []
        ended = [event.job_id for event in completed]
        if not interested and not apart:
            return [document_batches.new_batches(ended, now), completion_rows.new_completions(completed, now)]
        document_batches.make_batches(connection, ended, now, interested=interested)
        completion_rows.add_completions(connection, completed, now)
        registered_rows.subscribe_endpoints(connection, completed, interested, now)
        return []

    async def _wake(self, events: Sequence[WebhookRetry]) -> Sequence[None]:
        ids = [event.delivery_id for event in events]
        found = await self._database.autocommit(lambda connection: claim_rows.find(connection, ids))
        due = []
        for event in events:
            # A wake-up for an attempt that was made meanwhile (by the sweeper) is over.
            if (known := found.get(event.delivery_id)) is not None and known[1] < event.attempt:
                due.append(known[0])
        self._dispatcher.offer(due)
        return [None] * len(events)
