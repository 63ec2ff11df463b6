"""From an offered delivery to a recorded attempt: claims in batches, requests within the lanes' limits.

The database is asked for claims and told results in groups; between the two nothing is held but the lease. Whatever
is lost here (a kill, a database that goes away) is found again by the sweeper, since the row says so.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Sequence
from functools import partial
from typing import Final

from sqlalchemy import Connection

from services.notifier.domain.delivery import Effect
from services.notifier.domain.lanes import Lanes, Ticket
from services.notifier.group_commit import GroupCommit
from services.notifier.metrics import NotifierMetrics
from services.notifier.sending import claims, results
from services.notifier.sending.attempt import Sender, SendingPolicy
from services.notifier.sending.attempt_record import Attempt
from services.notifier.sending.body import Bodies, BodyName
from services.notifier.sending.claims import Claimed
from services.notifier.sending.payload import Body, Form
from services.notifier.sending.results import Recorded
from shared.clock import Clock
from shared.db.engine import Database
from shared.errors import InfrastructureAway

_CLAIM_BATCH: Final = 64
_SMALL_CASE: Final = 100
"""Documents up to which a body is made in the claim's own transaction; a larger one is made apart."""
_SMALL_IN_ALL: Final = 400
"""Documents in the bodies that one claim makes: what is beyond would keep the first of the batch waiting."""
_RECORD_PAUSE: Final = 0.025
"""Seconds in which results gather under load. Nobody waits for a record: its endpoint's slot is free before it."""
_AWAY_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 5.0
_BROKEN_PAUSE: Final = 60.0
_LAST_SECONDS: Final = 2.0

_log = logging.getLogger(__name__)


class Dispatcher:
    """Sends deliveries. One per process; everything but database work and large bodies on the event loop."""

    def __init__(
        self,
        *,
        database: Database,
        lanes: Lanes,
        sender: Sender,
        bodies: Bodies,
        policy: SendingPolicy,
        clock: Clock,
        metrics: NotifierMetrics,
    ) -> None:
        self._database = database
        self._lanes = lanes
        self._sender = sender
        self._bodies = bodies
        self._policy = policy
        self._clock = clock
        self._metrics = metrics
        self._recorder: GroupCommit[Attempt, Recorded] = GroupCommit(self._record, pause=_RECORD_PAUSE)
        # Claimed and not yet started, with the body where it was made with the claim.
        self._claimed: dict[str, tuple[Claimed, Body | None]] = {}
        self._woken = asyncio.Event()
        self._stopping = False
        self._sends: set[asyncio.Task[None]] = set()
        self._releases: set[asyncio.Task[None]] = set()
        self.on_hungry: asyncio.Event = asyncio.Event()
        """Set when a lane that overflowed has room: the sweeper should look at once."""
        self.on_trouble: asyncio.Event = asyncio.Event()
        """Set when a delivery or an endpoint was given up: there may be somebody to alert."""

    def offer(self, tickets: Sequence[Ticket]) -> int:
        """Queue deliveries that are due; how many were taken in. Those refused stay in the database."""
        taken = sum(self._lanes.offer(ticket) for ticket in tickets)
        if taken:
            self._woken.set()
        return taken

    def full(self) -> list[str]:
        """Endpoints of which nothing more should be loaded now."""
        return self._lanes.full()

    async def run(self) -> None:
        """Claim and send until :meth:`stop`."""
        while not self._stopping:
            self._woken.clear()
            tickets = self._lanes.take(time.monotonic(), _CLAIM_BATCH)
            if self._lanes.hungry():
                self.on_hungry.set()
            if tickets:
                await self._claim(tickets)
                continue
            self._metrics.held.set(len(self._lanes))
            self._metrics.breakers.set(self._lanes.open_breakers())
            due = self._lanes.next_due()
            try:
                async with asyncio.timeout(None if due is None else max(0.001, due - time.monotonic())):
                    await self._woken.wait()
            except TimeoutError:
                continue
        if self._releases:
            # What was being claimed when the stop came; if that takes long, its lease runs out.
            await asyncio.wait(self._releases, timeout=_LAST_SECONDS)

    async def stop(self, deadline: float) -> None:
        """Claim nothing more, give back what is not sent yet, let what is being sent end within ``deadline`` seconds.

        What is cut off then keeps its lease, and is sent again when that runs out.
        """
        self._stopping = True
        self._woken.set()
        for endpoint_id in self._lanes.claimed_ahead():
            self._give_back(endpoint_id)
        under_way = self._sends | self._releases
        if under_way:
            _, late = await asyncio.wait(under_way, timeout=deadline)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        self._sender.close()

    async def _claim(self, tickets: list[Ticket]) -> None:
        try:
            claimed, bodies = await self._claimed_with_bodies(tickets)
        except InfrastructureAway:
            self._put_back(tickets)
            await asyncio.sleep(_AWAY_PAUSE)
            return
        # The edge of a batch: it is undone; the log says why.
        except Exception:  # noqa: BLE001
            await self._claim_apart(tickets)
            return
        got = {found.ticket.delivery_id for found in claimed}
        self._put_back([ticket for ticket in tickets if ticket.delivery_id not in got])
        for found in claimed:
            self._claimed[found.ticket.delivery_id] = (found, bodies.get(found.body))
            self._lanes.claimed(found.ticket)
        for endpoint_id in {found.ticket.endpoint_id for found in claimed}:
            self._start(endpoint_id)

    async def _claimed_with_bodies(self, tickets: list[Ticket]) -> tuple[list[Claimed], dict[BodyName, Body]]:
        """Claim, and make the small bodies with it. Raises InfrastructureAway.

        When a body of the batch breaks it, the batch is claimed without: each attempt then makes its own body, and
        the one that cannot be made is the attempt's failure and nobody else's.
        """

        def work(connection: Connection, *, with_bodies: bool) -> tuple[list[Claimed], dict[BodyName, Body]]:
            claimed = claims.claim(connection, tickets, self._clock(), self._policy.retry, _token)
            small = _small_bodies(claimed) if with_bodies else []
            return claimed, self._bodies.make(connection, small) if small else {}

        try:
            return await self._database.run(partial(work, with_bodies=True))
        except InfrastructureAway:
            raise
        # Whatever it is; if it was not a body, the second try says so.
        except Exception as error:  # noqa: BLE001
            _log.warning("bodies could not be made together, making them one by one", extra={"error": _name(error)})
            return await self._database.run(partial(work, with_bodies=False))

    async def _claim_apart(self, tickets: list[Ticket]) -> None:
        """Something about one of these cannot be read or written: it must not stop the others."""
        if len(tickets) > 1:
            for ticket in tickets:
                await self._claim([ticket])
            return
        (ticket,) = tickets
        _log.exception(
            "a delivery could not be claimed, trying again in a minute", extra={"delivery_id": ticket.delivery_id}
        )
        self._lanes.put_back(ticket, known=True)
        asyncio.get_running_loop().call_later(_BROKEN_PAUSE, self._lanes.forget, ticket.delivery_id)

    def _put_back(self, tickets: Sequence[Ticket]) -> None:
        for ticket in tickets:
            self._lanes.put_back(ticket)

    def _start(self, endpoint_id: str) -> None:
        if self._stopping or self._lanes.held(endpoint_id):
            self._give_back(endpoint_id)
            return
        for ticket in self._lanes.start(endpoint_id):
            claimed, body = self._claimed.pop(ticket.delivery_id)
            task = asyncio.create_task(self._send(claimed, body))
            self._sends.add(task)
            task.add_done_callback(self._sends.discard)

    def _give_back(self, endpoint_id: str) -> None:
        """What is claimed and not started is not to be sent now: no attempt, and nobody has to wait for its lease."""
        if recalled := self._lanes.recall(endpoint_id):
            claimed = [self._claimed.pop(ticket.delivery_id)[0] for ticket in recalled]
            task = asyncio.create_task(self._release(claimed))
            self._releases.add(task)
            task.add_done_callback(self._releases.discard)

    async def _release(self, claimed: Sequence[Claimed]) -> None:
        try:
            await self._database.run(
                lambda connection: claims.release(connection, claimed, self._clock(), self._policy.retry)
            )
        except InfrastructureAway:
            _log.debug("claims run out by themselves", extra={"deliveries": len(claimed)})
        # The edge of a task: the leases run out, and the sweeper finds them; the log says why.
        except Exception:  # noqa: BLE001
            _log.exception("claims could not be given back", extra={"deliveries": len(claimed)})

    async def _send(self, claimed: Claimed, body: Body | None) -> None:
        attempt: Attempt | None = None
        try:
            attempt = await self._sender.attempt(claimed, body)
        except InfrastructureAway:
            # The lease runs out, and the sweeper finds it.
            _log.debug("an attempt was put off", extra={"delivery_id": claimed.ticket.delivery_id})
        # The edge of a task: the delivery keeps its lease until that runs out, and is then tried again.
        except Exception:  # noqa: BLE001
            _log.exception("an attempt broke", extra={"delivery_id": claimed.ticket.delivery_id})
        if attempt is None:
            self._lanes.abandoned(claimed.ticket)
        else:
            seconds = attempt.duration_ms / 1000
            # A body that was too large says nothing against the receiver.
            answered = attempt.succeeded or attempt.shrinks
            self._lanes.ended(claimed.ticket, time.monotonic(), succeeded=answered, seconds=seconds)
        self._start(claimed.ticket.endpoint_id)
        self._woken.set()
        try:
            if attempt is not None:
                await self._keep(attempt)
        finally:
            self._lanes.forget(claimed.ticket.delivery_id)

    async def _keep(self, attempt: Attempt) -> None:
        """Record an attempt, however long the database is away."""
        pause = _AWAY_PAUSE
        while True:
            try:
                recorded = await self._recorder.submit(attempt)
            except InfrastructureAway:
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
                continue
            # What the answer said breaks the record: that there was an attempt, and how it ended, can always be kept.
            # Otherwise it would be sent again and again, each time its lease has run out.
            except Exception:  # noqa: BLE001
                if attempt == attempt.bare():
                    _log.exception("an attempt could not be recorded", extra={"delivery_id": attempt.delivery_id})
                    return
                attempt = attempt.bare()
                continue
            self._metrics.attempts.labels(recorded.effect.value).inc()
            if recorded.effect in {Effect.EXHAUSTED, Effect.GONE}:
                self.on_trouble.set()
            return

    async def _record(self, attempts: Sequence[Attempt]) -> Sequence[Recorded]:
        def work(connection: Connection) -> list[Recorded]:
            return results.record(
                connection, attempts, self._clock(), self._policy.retry, disable_after=self._policy.disable_after
            )

        return await self._database.run(work)


def _small_bodies(claimed: Sequence[Claimed]) -> list[BodyName]:
    """The bodies that are made with the claim: small ones, and not too many."""
    chosen: dict[BodyName, None] = {}
    room = _SMALL_IN_ALL
    for found in claimed:
        documents = found.documents if found.form is Form.FULL else 0
        if documents <= min(_SMALL_CASE, room):
            chosen[found.body] = None
            # A body costs something without any document too.
            room -= documents + 1
    return list(chosen)


def _name(error: Exception) -> str:
    return type(error).__name__


def _token() -> str:
    return str(uuid.uuid4())
