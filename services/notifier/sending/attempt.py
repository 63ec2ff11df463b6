"""One attempt: the body, the lease, the signature, the request."""

from __future__ import annotations

import asyncio
import logging
import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from services.notifier.domain.body_limits import Shares
from services.notifier.domain.delivery import RetryPolicy
from services.notifier.metrics import NotifierMetrics
from services.notifier.sending.attempt_record import Attempt, attempt_of
from services.notifier.sending.body import Bodies, BodyName
from services.notifier.sending.claims import Claimed, renew
from services.notifier.sending.payload import Body, Form
from shared.clock import Clock
from shared.db.engine import Database
from shared.errors import InfrastructureAway
from shared.http.dial import CallResult, WebhookCaller, refused_call
from shared.webhooks.signing import InvalidSecret, signature_headers

_LARGE_BY_ORIGIN: Final = 8
_LARGE_IN_ALL: Final = 128
"""Bodies of large cases in memory at once, each of a thousand documents at most.

A dead endpoint soon has one at most, since its breaker opens.
"""
_BUILD_THREADS: Final = 2
_RECORD_MARGIN: Final = timedelta(seconds=3)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SendingPolicy:
    """How attempts are made: the schedule, the time-out (seconds), when an endpoint is given up."""

    retry: RetryPolicy
    timeout: float
    disable_after: timedelta
    private_key: str | None = None


class Sender:
    """Makes attempts; knows nothing of queues and records nothing."""

    def __init__(
        self,
        *,
        database: Database,
        caller: WebhookCaller,
        bodies: Bodies,
        policy: SendingPolicy,
        clock: Clock,
        metrics: NotifierMetrics,
    ) -> None:
        self._database = database
        self._caller = caller
        self._bodies = bodies
        self._policy = policy
        self._clock = clock
        self._metrics = metrics
        self._large = Shares(by_origin=_LARGE_BY_ORIGIN, in_all=_LARGE_IN_ALL)
        self._builders = ThreadPoolExecutor(_BUILD_THREADS, thread_name_prefix="body")

    def close(self) -> None:
        """Begin no more bodies."""
        self._builders.shutdown(wait=False, cancel_futures=True)

    async def attempt(self, claimed: Claimed, body: Body | None) -> Attempt | None:
        """Make the attempt; None when the lease is somebody else's by now."""
        if body is None:
            async with self._large.hold(claimed.ticket.origin):
                return await self._attempt_with(claimed, await self._build(claimed.body))
        return await self._attempt_with(claimed, body)

    async def _attempt_with(self, claimed: Claimed, body: Body | None) -> Attempt | None:
        if not await self._holds(claimed):
            return None
        started_at = self._clock()
        delivery_id = claimed.ticket.delivery_id
        if body is None:
            result = refused_call("body_unavailable", "the body could not be made")
        else:
            result = await self._call(claimed, body.content, started_at)
        self._metrics.seconds.observe(result.duration)
        return attempt_of(
            result,
            delivery_id=delivery_id,
            token=claimed.token,
            attempt=claimed.attempt,
            started_at=started_at,
            ended_at=self._clock(),
            draw=random.random(),  # noqa: S311 - spreads load, protects nothing
            form=body.form if body is not None else Form.BARE,
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

    async def _build(self, name: BodyName) -> Body | None:
        """A large body: read in a short transaction, made in a thread that small ones do not wait for.

        None when it cannot be made, which counts as a failed attempt: it would not end otherwise.
        """
        try:
            renderers = await self._database.read(lambda connection: self._bodies.load(connection, [name]))
            return await asyncio.get_running_loop().run_in_executor(self._builders, renderers[name])
        except InfrastructureAway:
            raise
        # Whatever else it is, it is about this case, and is told by the attempt.
        except Exception as error:  # noqa: BLE001
            _log.error("a body could not be made", extra={"job_id": name.job_id, "error": type(error).__name__})
            return None

    async def _holds(self, claimed: Claimed) -> bool:
        """Whether the lease lasts for an attempt and its record; it is renewed when it was waited with."""
        needed = timedelta(seconds=self._policy.timeout) + _RECORD_MARGIN
        now = self._clock()
        if claimed.lease_until - now >= needed:
            return True
        until = now + timedelta(seconds=self._policy.retry.lease)
        return await self._database.run(lambda connection: renew(connection, claimed, until))
