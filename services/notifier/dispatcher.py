"""From an offered delivery to a recorded attempt: claims in batches, requests within the lanes' limits.

The database is asked for claims and told results in groups; between the two nothing is held but the lease. Whatever
is lost here (a kill, a database that goes away) is found again by the sweeper, since the row says so.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from services.notifier import claims, results
from services.notifier.attempt import Attempt, attempt_of
from services.notifier.body import Bodies
from services.notifier.claims import Claimed
from services.notifier.group_commit import GroupCommit
from services.notifier.lanes import Lanes, Ticket
from services.notifier.metrics import NotifierMetrics
from services.notifier.results import Recorded
from services.notifier.state import Effect, RetryPolicy
from shared.clock import Clock
from shared.db.engine import Database
from shared.kafka.errors import InfrastructureAway
from shared.webhooks.dial import CallResult, WebhookCaller, refused_call
from shared.webhooks.signing import InvalidSecret, signature_headers

_CLAIM_BATCH: Final = 64
_SMALL_CASE: Final = 100
"""Documents up to which a body is made in the claim's own transaction; larger ones wait for nobody and hold nobody."""
_BUILD_THREADS: Final = 2
_RECORD_MARGIN: Final = timedelta(seconds=3)
_AWAY_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 5.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SendingPolicy:
    """How attempts are made: the schedule, the time-out (seconds), when an endpoint is given up."""

    retry: RetryPolicy
    timeout: float
    disable_after: timedelta
    private_key: str | None = None


class Dispatcher:
    """Sends deliveries. One per process; everything but database work and large bodies on the event loop."""

    def __init__(
        self,
        *,
        database: Database,
        lanes: Lanes,
        caller: WebhookCaller,
        bodies: Bodies,
        policy: SendingPolicy,
        clock: Clock,
        metrics: NotifierMetrics,
    ) -> None:
        self._database = database
        self._lanes = lanes
        self._caller = caller
        self._bodies = bodies
        self._policy = policy
        self._clock = clock
        self._metrics = metrics
        self._recorder: GroupCommit[Attempt, Recorded] = GroupCommit(self._record)
        self._builders = ThreadPoolExecutor(_BUILD_THREADS, thread_name_prefix="body")
        # Claimed and not yet started, with the body where it was made with the claim.
        self._claimed: dict[str, tuple[Claimed, bytes | None]] = {}
        self._woken = asyncio.Event()
        self._stopping = False
        self._sends: set[asyncio.Task[None]] = set()
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

    async def stop(self, deadline: float) -> None:
        """Claim nothing more and let what is being sent end within ``deadline`` seconds.

        What is cut off then keeps its lease, and is sent again when that runs out.
        """
        self._stopping = True
        self._woken.set()
        if self._sends:
            _, late = await asyncio.wait(self._sends, timeout=deadline)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        self._builders.shutdown(wait=False, cancel_futures=True)

    async def _claim(self, tickets: list[Ticket]) -> None:
        def work(connection: Connection) -> tuple[list[Claimed], dict[str, bytes]]:
            claimed = claims.claim(connection, tickets, self._clock(), self._policy.retry, _token)
            small = {found.job_id for found in claimed if found.documents <= _SMALL_CASE}
            return claimed, self._bodies.make(connection, list(small)) if small else {}

        try:
            claimed, bodies = await self._database.run(work)
        except InfrastructureAway:
            self._put_back(tickets)
            await asyncio.sleep(_AWAY_PAUSE)
            return
        # The edge of a batch: it is undone, and the sweeper offers it again; the log says why.
        except Exception:  # noqa: BLE001
            _log.exception("deliveries could not be claimed", extra={"deliveries": len(tickets)})
            self._put_back(tickets)
            await asyncio.sleep(_AWAY_PAUSE)
            return
        got = {found.ticket.delivery_id for found in claimed}
        self._put_back([ticket for ticket in tickets if ticket.delivery_id not in got])
        for found in claimed:
            self._claimed[found.ticket.delivery_id] = (found, bodies.get(found.job_id))
            self._lanes.claimed(found.ticket)
        for endpoint_id in {found.ticket.endpoint_id for found in claimed}:
            self._start(endpoint_id)

    def _put_back(self, tickets: Sequence[Ticket]) -> None:
        for ticket in tickets:
            self._lanes.put_back(ticket)

    def _start(self, endpoint_id: str) -> None:
        for ticket in self._lanes.start(endpoint_id):
            claimed, body = self._claimed.pop(ticket.delivery_id)
            task = asyncio.create_task(self._send(claimed, body))
            self._sends.add(task)
            task.add_done_callback(self._sends.discard)

    async def _send(self, claimed: Claimed, body: bytes | None) -> None:
        attempt: Attempt | None = None
        try:
            attempt = await self._attempt(claimed, body)
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
            self._lanes.ended(claimed.ticket, time.monotonic(), succeeded=attempt.succeeded, seconds=seconds)
        self._start(claimed.ticket.endpoint_id)
        self._woken.set()
        try:
            if attempt is not None:
                await self._keep(attempt)
        finally:
            self._lanes.forget(claimed.ticket.delivery_id)

    async def _attempt(self, claimed: Claimed, body: bytes | None) -> Attempt | None:
        """Make the attempt; None when the lease is somebody else's by now."""
        if body is None:
            body = await self._build(claimed.job_id)
        if not await self._holds(claimed):
            return None
        started_at = self._clock()
        delivery_id = claimed.ticket.delivery_id
        if body is None:
            result = refused_call("body_unavailable", "the body could not be made")
        else:
            result = await self._call(claimed, body, started_at)
        self._metrics.seconds.observe(result.duration)
        return attempt_of(
            result,
            delivery_id=delivery_id,
            token=claimed.token,
            attempt=claimed.attempt,
            started_at=started_at,
            ended_at=self._clock(),
            draw=random.random(),  # noqa: S311 - spreads load, protects nothing
        )

    async def _call(self, claimed: Claimed, body: bytes, started_at: datetime) -> CallResult:
        delivery_id = claimed.ticket.delivery_id
        try:
            headers = signature_headers(
                claimed.secrets, delivery_id, started_at, body, claimed.attempt, private_key=self._policy.private_key
            )
        except InvalidSecret:
            return refused_call("invalid_secret", "the client's webhook secret cannot be used")
        return await self._caller.post(claimed.url, list(headers.items()), body)

    async def _build(self, job_id: str) -> bytes | None:
        """A large body: read in a short transaction, made in a thread that small ones do not wait for.

        None when it cannot be made, which counts as a failed attempt: it would not end otherwise.
        """
        renderers = await self._database.run(lambda connection: self._bodies.load(connection, [job_id]))
        try:
            return await asyncio.get_running_loop().run_in_executor(self._builders, renderers[job_id])
        # Rendering is pure: whatever it is, it is about this case, and is told by the attempt.
        except Exception as error:  # noqa: BLE001
            _log.error("a body could not be made", extra={"job_id": job_id, "error": type(error).__name__})
            return None

    async def _holds(self, claimed: Claimed) -> bool:
        """Whether the lease lasts for an attempt and its record; it is renewed when it was waited with."""
        needed = timedelta(seconds=self._policy.timeout) + _RECORD_MARGIN
        now = self._clock()
        if claimed.lease_until - now >= needed:
            return True
        until = now + timedelta(seconds=self._policy.retry.lease)
        return await self._database.run(lambda connection: claims.renew(connection, claimed, until))

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
            # The edge of a task, as above: what cannot be recorded is repeated when the lease has run out.
            except Exception:  # noqa: BLE001
                _log.exception("an attempt could not be recorded", extra={"delivery_id": attempt.delivery_id})
                return
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


def _token() -> str:
    return str(uuid.uuid4())
