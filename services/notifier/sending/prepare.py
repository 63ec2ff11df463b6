"""Prepare: the second phase of a delivery. Its body, a lease that outlasts the attempt, and the signed request."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from services.notifier.sending.bodies import WebhookBodies
from services.notifier.sending.body_key import BodyKey
from services.notifier.sending.claim_rows import renew
from services.notifier.sending.claimed import ClaimedDelivery
from services.notifier.sending.large_bodies import LargeBodySlots
from services.notifier.sending.policy import SendingPolicy
from shared.clock import Clock
from shared.db.engine import Database
from shared.errors import InfrastructureAway
from shared.http.dial import CallResult, refused_call
from shared.secrets.keys import SecretUnreadable
from shared.webhooks.body_form import BodyForm
from shared.webhooks.event_type import WebhookBody
from shared.webhooks.headers import HeaderKeys
from shared.webhooks.sealing import NotOpened
from shared.webhooks.signing import InvalidSecret, signature_headers

_LARGE_BY_ORIGIN: Final = 8
_LARGE_IN_ALL: Final = 128
"""Bodies of large cases in memory at once, each of a thousand documents at most.

A dead endpoint soon has one at most, since its breaker opens.
"""
_RENDER_THREADS: Final = 2
_RECORD_MARGIN: Final = timedelta(seconds=3)
"""Of its lease, after the time-out of the call."""

_SAID_EVERY_SECONDS: Final = 60.0
"""Between two log lines about secrets that do not open: every delivery of a client may meet it."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PreparedRequest:
    """An attempt that is ready for its call. ``refused`` is the result of a call that must not be made."""

    claimed: ClaimedDelivery
    started_at: datetime
    content: bytes
    form: BodyForm
    headers: Sequence[tuple[str, str]] = ()
    refused: CallResult | None = None


class RequestPreparation:
    """Prepares requests; knows nothing of queues and records nothing."""

    def __init__(
        self,
        database: Database,
        bodies: WebhookBodies,
        policy: SendingPolicy,
        clock: Clock,
        keys: HeaderKeys,
    ) -> None:
        self._keys = keys
        self._unreadable_said_at = -_SAID_EVERY_SECONDS
        self._database = database
        self._bodies = bodies
        self._policy = policy
        self._clock = clock
        self._large = LargeBodySlots(by_origin=_LARGE_BY_ORIGIN, in_all=_LARGE_IN_ALL)
        self._renderers = ThreadPoolExecutor(_RENDER_THREADS, thread_name_prefix="body")

    def close(self) -> None:
        """Render no more bodies."""
        self._renderers.shutdown(wait=False, cancel_futures=True)

    @asynccontextmanager
    async def prepare(
        self, claimed: ClaimedDelivery, body: WebhookBody | None
    ) -> AsyncIterator[PreparedRequest | None]:
        """The request to make within the ``async with``; None when there is none to make now.

        Another process has the lease by now, or the secret does not open (AUTOS_SECRETS_KEY lacks its key): then the
        lease is kept and the same attempt is made when it expires, so nothing is lost, spent or sent unsigned.

        Without ``body`` a large one is rendered, which has a slot until the call has ended. Raises InfrastructureAway.
        """
        if body is not None:
            yield await self._request(claimed, body)
            return
        async with self._large.hold(claimed.due.origin):
            yield await self._request(claimed, await self._render(claimed.body_key))

    async def _request(self, claimed: ClaimedDelivery, body: WebhookBody | None) -> PreparedRequest | None:
        if not await self._lease_lasts(claimed):
            return None
        started_at = self._clock()
        if body is None:
            refused = refused_call("body_unavailable", "the body could not be made")
            return PreparedRequest(claimed, started_at, b"", BodyForm.BARE, refused=refused)
        try:
            headers = self._headers(claimed, started_at, body.content)
        except SecretUnreadable as error:
            self._say_unreadable(error, claimed)
            return None
        except InvalidSecret:
            refused = refused_call("invalid_secret", "the client's webhook secret cannot be used")
            return PreparedRequest(claimed, started_at, body.content, body.form, refused=refused)
        except NotOpened:
            refused = refused_call("headers_not_opened", "the endpoint's headers were sealed with a key that is gone")
            return PreparedRequest(claimed, started_at, body.content, body.form, refused=refused)
        return PreparedRequest(claimed, started_at, body.content, body.form, headers)

    def _headers(self, claimed: ClaimedDelivery, started_at: datetime, content: bytes) -> list[tuple[str, str]]:
        """The signature and the client's own. Raises SecretUnreadable, InvalidSecret and NotOpened."""
        signed = signature_headers(
            [self._keys.secrets.from_store(stored, claimed.secrets_about) for stored in claimed.secrets],
            claimed.due.delivery_id,
            started_at,
            content,
            claimed.attempt,
            private_keys=self._policy.private_keys,
        )
        return [*signed.items(), *self._keys.open(claimed.sealed_headers, claimed.due.endpoint_id)]

    def _say_unreadable(self, error: SecretUnreadable, claimed: ClaimedDelivery) -> None:
        now = time.monotonic()
        if now - self._unreadable_said_at >= _SAID_EVERY_SECONDS:
            self._unreadable_said_at = now
            _log.error(
                "Delivery waits: its secret or headers do not open, their key is not set",
                extra={"code": error.code, "key_id": error.key_id, "delivery_id": claimed.due.delivery_id},
            )

    async def _render(self, key: BodyKey) -> WebhookBody | None:
        """A large body: read in a short transaction, rendered in a thread that small ones do not wait for.

        None when it cannot be rendered, which counts as a failed attempt: it would not end otherwise.
        """
        try:
            renderers = await self._database.autocommit(lambda connection: self._bodies.load(connection, [key]))
            return await asyncio.get_running_loop().run_in_executor(self._renderers, renderers[key])
        except InfrastructureAway:
            raise
        # Whatever else it is, it is about this case, and its attempt shows it.
        except Exception as error:  # noqa: BLE001
            _log.error(
                "Webhook body could not be rendered, the attempt counts as failed",
                extra={"job_id": key.job_id, "error": type(error).__name__},
            )
            return None

    async def _lease_lasts(self, claimed: ClaimedDelivery) -> bool:
        """Whether the lease lasts for the call and its record. Renews it when too little is left."""
        needed = timedelta(seconds=self._policy.timeout) + _RECORD_MARGIN
        now = self._clock()
        if claimed.lease_until - now >= needed:
            return True
        until = now + timedelta(seconds=self._policy.retry.lease)
        return await self._database.run(lambda connection: renew(connection, claimed, until))
