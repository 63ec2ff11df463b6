"""What arrives from Kafka: completions, subscriptions, requests of clients, wake-ups. Written in groups, then sent.

Everything here may come twice, in any order, and to any replica.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from services.notifier.domain.delivery import RetryPolicy
from services.notifier.domain.lanes import Ticket
from services.notifier.group_commit import GroupCommit
from services.notifier.intake import rows as intake_store
from services.notifier.metrics import NotifierMetrics
from services.notifier.sending import claims
from services.notifier.sending.dispatcher import Dispatcher
from shared.clock import Clock
from shared.db.engine import Database
from shared.events.envelope import Event
from shared.events.process_completed import ProcessCompleted
from shared.events.webhook_retry import WebhookRetry
from shared.events.webhook_subscribed import EndpointEnableRequested, RedeliveryRequested, WebhookSubscribed

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Taken:
    """What a batch made due; ``release`` says that an endpoint was enabled, so that the database has more."""

    tickets: tuple[Ticket, ...]
    created: int
    release: bool


class Intake:
    """Handles the events that the notifier consumes. Handlers return when the database has it."""

    def __init__(
        self,
        *,
        database: Database,
        dispatcher: Dispatcher,
        policy: RetryPolicy,
        clock: Clock,
        metrics: NotifierMetrics,
    ) -> None:
        self._database = database
        self._dispatcher = dispatcher
        self._policy = policy
        self._clock = clock
        self._metrics = metrics
        self._events: GroupCommit[Event, None] = GroupCommit(self._take)
        self._wakes: GroupCommit[WebhookRetry, None] = GroupCommit(self._wake)

    async def handle(self, event: Event) -> None:
        """A completion, a subscription, or what a client asks. Raises InfrastructureAway."""
        await self._events.submit(event)

    async def wake(self, event: WebhookRetry) -> None:
        """A delivery's time has come. Raises InfrastructureAway."""
        await self._wakes.submit(event)

    async def _take(self, events: Sequence[Event]) -> Sequence[None]:
        taken = await self._database.run(lambda connection: self._write(connection, events))
        if taken.created:
            self._metrics.created.inc(taken.created)
        self._dispatcher.offer(taken.tickets)
        if taken.release:
            self._dispatcher.on_hungry.set()
        return [None] * len(events)

    def _write(self, connection: Connection, events: Sequence[Event]) -> _Taken:
        now = self._clock()
        completed = [event for event in events if isinstance(event, ProcessCompleted)]
        subscribed = [event for event in events if isinstance(event, WebhookSubscribed)]
        jobs = [event.job_id for event in completed] + [event.job_id for event in subscribed]
        created, tickets = 0, list[Ticket]()
        if jobs:
            intake_store.lock_jobs(connection, jobs)
            if completed:
                intake_store.add_completions(connection, completed, now)
            if subscribed:
                intake_store.add_subscriptions(connection, subscribed, now)
            created, tickets = intake_store.create_deliveries(connection, jobs, now)
        again = intake_store.ask_again(
            connection, [event for event in events if isinstance(event, RedeliveryRequested)], now, self._policy
        )
        released = intake_store.enable_endpoints(
            connection, [event for event in events if isinstance(event, EndpointEnableRequested)], now
        )
        return _Taken((*tickets, *again), created, released > 0)

    async def _wake(self, events: Sequence[WebhookRetry]) -> Sequence[None]:
        ids = [event.delivery_id for event in events]
        found = await self._database.read(lambda connection: claims.find(connection, ids))
        tickets = []
        for event in events:
            # A wake-up for an attempt that was made meanwhile (by the sweeper) is over.
            if (known := found.get(event.delivery_id)) is not None and known[1] < event.attempt:
                tickets.append(known[0])
        self._dispatcher.offer(tickets)
        return [None] * len(events)
