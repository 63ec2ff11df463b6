"""Alerts about an outbox that stands still or has events set aside, of any service.

The notifier sends the alerts, so it looks at the other services' outboxes too: at how they stand, never at what is in
them. There is one alert an outbox in ``interval``, from the replica that claims it under a lease of some minutes. If
that process ends first, another sends the alert when the lease expires. One that could not be sent is due at once.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final

import orjson
from sqlalchemy import Connection, update
from sqlalchemy.dialects.postgresql import insert

from shared.alerts.sender import AlertSender
from shared.clock import Clock, rfc3339
from shared.concurrency.waiting import wait_for_any
from shared.db.delivery import outbox_alerts
from shared.db.engine import Database
from shared.errors import InfrastructureAway
from shared.outbox.inspection import OutboxState, outbox_states

_LOOK_EVERY: Final = 15.0
_LEASE: Final = timedelta(minutes=5)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class OutboxAlert:
    """How one outbox stands."""

    standing: OutboxState
    at: datetime

    @property
    def title(self) -> str:
        """One line: the subject of the mail."""
        if self.standing.set_aside:
            return f"Autos: {self.standing.set_aside} events of {self.standing.schema} are set aside"
        return f"Autos: the outbox of {self.standing.schema} stands still"

    @property
    def text(self) -> str:
        """What happened and what to do, for a person."""
        return (
            f"{self.title}.\n\nThe oldest event that waits: {self.standing.seconds:.0f} s\n"
            f"Events that the broker will never take: {self.standing.set_aside}\n\n"
            "Nothing is lost. autos doctor says what is wrong, autos dead list names what is set aside,\n"
            "and autos dead replay sends it again when its cause is mended.\n"
        )

    def json(self) -> bytes:
        """The same for a machine: ``type``, ``timestamp``, ``text`` and ``data``."""
        return orjson.dumps(
            {
                "type": "outbox.alert",
                "timestamp": rfc3339(self.at),
                "text": self.title,
                "data": {
                    "outbox": self.standing.schema,
                    "waiting_seconds": round(self.standing.seconds),
                    "set_aside": self.standing.set_aside,
                },
            }
        )


class OutboxAlerter:
    """``interval`` is the least time between two alerts about one outbox."""

    def __init__(self, database: Database, sender: AlertSender, *, interval: timedelta, clock: Clock) -> None:
        self._database = database
        self._sender = sender
        self._interval = interval
        self._clock = clock

    async def run(self, stop: asyncio.Event) -> None:
        """Look every 15 s until ``stop``."""
        while not stop.is_set():
            try:
                await self.send_due()
            except InfrastructureAway:
                _log.debug("The database is away, alerts wait")
            await wait_for_any(stop, within=_LOOK_EVERY)

    async def send_due(self) -> int:
        """Send the alerts that are due; how many were sent. Raises InfrastructureAway."""
        sent = 0
        for standing in await self._database.autocommit(outbox_states):
            if not standing.stalled and not standing.set_aside:
                continue
            now = self._clock()
            if not await self._database.run(partial(claim, standing=standing, now=now)):
                continue
            _log.warning(
                "Outbox stands still or has events set aside, an alert is sent",
                extra={"schema": standing.schema, "seconds": round(standing.seconds), "set_aside": standing.set_aside},
            )
            worked = await self._sender.send(OutboxAlert(standing, now))
            due = now + self._interval if worked else now
            await self._database.run(partial(_put_off, standing=standing, claimed=now, due=due))
            sent += worked
        return sent


def claim(connection: Connection, standing: OutboxState, now: datetime) -> bool:
    """Whether this process sends the alert: it is due, and nobody else has claimed it."""
    mine = insert(outbox_alerts).values(outbox=standing.schema, due_at=now + _LEASE)
    due = mine.on_conflict_do_update(
        index_elements=["outbox"], set_={"due_at": now + _LEASE}, where=outbox_alerts.c.due_at <= now
    )
    return connection.execute(due).rowcount == 1


def _put_off(connection: Connection, standing: OutboxState, claimed: datetime, due: datetime) -> None:
    mine = (outbox_alerts.c.outbox == standing.schema, outbox_alerts.c.due_at == claimed + _LEASE)
    connection.execute(update(outbox_alerts).where(*mine).values(due_at=due))
