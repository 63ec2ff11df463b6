"""Tells other systems and clients when a source is degraded and when it has recovered, once for all replicas.

The downloaders write how a source stands (``source.states``). What was told of it last is one row of
``delivery.source_notices``, changed in the transaction that puts the event into the outbox, creates the deliveries of
endpoints that want it and adds to the feeds, and only from what it was: of two replicas that see the same change one
finds it told.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Row, text

from services.notifier.domain.due_delivery import DueDelivery
from services.notifier.intake import source_event_rows
from shared.clock import Clock
from shared.concurrency.outage import Outage
from shared.concurrency.waiting import wait_for_any
from shared.db import delivery
from shared.db.engine import Database
from shared.domain.source_state import MESSAGES, SourceState
from shared.events.envelope import deterministic_id, encode
from shared.events.source_events import SourceDegraded, SourceEvent, SourceRecovered
from shared.events.topics import WEBHOOK_EVENTS
from shared.outbox.write import write
from shared.webhooks.facts import SourceChanged

STEADY: Final = timedelta(seconds=30)
"""A source counts as recovered when it has been open for so long: one that comes and goes makes no storm of events."""
QUIET: Final = timedelta(minutes=5)
"""So long after it was told that a source is degraded, it is not told again that it has become so."""
_LOOK_EVERY: Final = 3.0
_SOURCE: Final = "/autos/notifier"
_ORDER: Final = {SourceState.OPEN: 0, SourceState.LIMITED: 1, SourceState.AWAY: 2}

_log = logging.getLogger(__name__)

_STATES: Final = text("""
SELECT s.source, s.state, s.reason, s.since, n.state AS told, n.at AS told_at, n.degraded_at
  FROM source.states AS s LEFT JOIN delivery.source_notices AS n USING (source)
""")
_TELL: Final = text("""
INSERT INTO delivery.source_notices AS n (source, state, at, degraded_at) VALUES (:source, :state, :at, :degraded_at)
    ON CONFLICT (source) DO UPDATE SET state = excluded.state, at = excluded.at, degraded_at = excluded.degraded_at
 WHERE n.state = :told
""")


@dataclass(frozen=True, slots=True)
class StandingSource:
    """How a source stands, and what was told of it last (None: nothing yet) and when.

    ``degraded_at`` is when it was last told that it is worse than it was.
    """

    source: str
    state: SourceState
    reason: str | None
    since: datetime
    told: SourceState | None = None
    told_at: datetime | None = None
    degraded_at: datetime | None = None


def due(standing: StandingSource, now: datetime) -> SourceEvent | None:
    """The event that is to be told now, if any. Pure.

    A change for the worse is told at once, each step of it; that a source is open again, once it has been so for
    STEADY. A change from away to limited is not told. One that becomes worse again soon after it has recovered is told
    of when QUIET is over, if it is so still: one that comes and goes makes three events in five minutes at most.
    """
    told = standing.told or SourceState.OPEN
    about: dict[str, Any] = {
        "source": standing.source,
        "state": standing.state.value,
        "since": standing.since,
        "at": now,
    }
    if _ORDER[standing.state] > _ORDER[told]:
        before = standing.degraded_at
        if told is SourceState.OPEN and before is not None and now - before < QUIET:
            return None
        reason = standing.reason or "source_unavailable"
        return SourceDegraded(**about, reason=reason, message=MESSAGES.get(reason, reason))
    if standing.state is SourceState.OPEN and told is not SourceState.OPEN and now - standing.since >= STEADY:
        return SourceRecovered(**about, degraded_since=standing.told_at or standing.since)
    return None


class SourceNotices:
    """Tells other systems what is due, looking every three seconds. Every notifier has one.

    While the database is away nothing is told; what is due then is told when it is back.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        created: Callable[[int, Sequence[DueDelivery]], None] = lambda number, due: None,
    ) -> None:
        """``created`` hears how many deliveries were created, and which can be sent now; the sweeper finds them too."""
        self._database = database
        self._clock = clock
        self._created = created

    async def run(self, stop: asyncio.Event) -> None:
        """Until ``stop``."""
        outage = Outage(
            _log,
            began="The database is away, changes of the sources are told when it is back",
            over="The database is back, changes of the sources are told again",
            failed="Changes of the sources could not be told, will try again",
        )
        while not stop.is_set():
            with outage.of_try():
                await self.round()
            await wait_for_any(stop, within=_LOOK_EVERY)

    async def round(self) -> int:
        """Tell what is due; how many events this replica told. Raises InfrastructureAway."""
        told = await self._database.run(lambda connection: tell_due(connection, self._clock()))
        if told.created:
            self._created(told.created, told.due)
        return told.events


@dataclass(frozen=True, slots=True)
class ToldChanges:
    """What one round told: how many events, how many deliveries it created, and those that can be sent now."""

    events: int = 0
    created: int = 0
    due: tuple[DueDelivery, ...] = ()


def tell_due(connection: Connection, now: datetime) -> ToldChanges:
    """Put the events that are due into the outbox, the deliveries and the feeds. The caller commits.

    Any number of replicas may do this at once: what was told is compared and set in one statement, so that one of them
    tells it.
    """
    told = ToldChanges()
    for row in connection.execute(_STATES).all():
        standing = _standing(row)
        event = due(standing, now)
        if event is None:
            continue
        before = (standing.told or SourceState.OPEN).value
        degraded_at = now if isinstance(event, SourceDegraded) else standing.degraded_at
        change = {"source": standing.source, "state": standing.state.value, "at": now, "degraded_at": degraded_at}
        change["told"] = before
        if connection.execute(_TELL, change).rowcount != 1:
            continue  # another replica has told it
        event_id = deterministic_id(event.TYPE, standing.source, event.state, event.since.isoformat())
        record = encode(event, WEBHOOK_EVENTS, event_id=event_id, source=_SOURCE, time=now)
        write(connection, delivery.outbox, [record], now=now)
        created, due_now = source_event_rows.add(connection, event_id, _fact(event), now)
        told = ToldChanges(told.events + 1, told.created + created, (*told.due, *due_now))
        if isinstance(event, SourceDegraded):
            about = {"source": standing.source, "state": event.state, "reason": event.reason}
            _log.warning("The source is degraded, other systems are told", extra=about)
        else:
            _log.info("The source has recovered, other systems are told", extra={"source": standing.source})
    return told


def _standing(row: Row[Any]) -> StandingSource:
    told = None if row.told is None else SourceState(row.told)
    state = SourceState(row.state)
    return StandingSource(row.source, state, row.reason, row.since, told, row.told_at, row.degraded_at)


def _fact(event: SourceEvent) -> SourceChanged:
    return SourceChanged(
        source=event.source,
        state=event.state,
        since=event.since,
        at=event.at,
        reason=event.reason if isinstance(event, SourceDegraded) else None,
        degraded_since=event.degraded_since if isinstance(event, SourceRecovered) else None,
    )
