"""Claim: the first phase of a delivery. The database leases a batch to this process; small bodies come with it."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from sqlalchemy import Connection

from services.notifier.domain.due_delivery import DueDelivery
from services.notifier.domain.retry_policy import RetryPolicy
from services.notifier.sending import claim_rows
from services.notifier.sending.bodies import WebhookBodies
from services.notifier.sending.body_key import BodyKey
from services.notifier.sending.claim_rows import ClaimedRows
from services.notifier.sending.claimed import ClaimedDelivery
from shared.clock import Clock
from shared.db.engine import Database
from shared.errors import InfrastructureAway
from shared.webhooks.body_form import BodyForm
from shared.webhooks.event_type import WebhookBody

_SMALL_CASE: Final = 100
"""Documents up to which a body is rendered in the claim's own transaction; a larger one is rendered apart."""
_SMALL_IN_ALL: Final = 400
"""Documents in the bodies that one claim renders: more would keep the first of the batch waiting."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ClaimResult:
    """What became of a batch."""

    claimed: list[tuple[ClaimedDelivery, WebhookBody | None]] = field(default_factory=list)
    """Leased to this process, with the body where it was rendered with the claim."""
    early: list[tuple[DueDelivery, float]] = field(default_factory=list)
    """Not yet, by the rate of their endpoint; with the seconds until they may be claimed."""
    refused: list[DueDelivery] = field(default_factory=list)
    """Not due, kept for a disabled endpoint, or leased to another process."""
    broken: list[DueDelivery] = field(default_factory=list)
    """Not readable or not writable, for a reason of their own."""


class Claims:
    """Claims deliveries and releases them. ``interval``: seconds between two starts of any endpoint at least."""

    def __init__(
        self, database: Database, bodies: WebhookBodies, policy: RetryPolicy, clock: Clock, *, interval: float = 0.0
    ) -> None:
        self._interval = interval
        self._database = database
        self._bodies = bodies
        self._policy = policy
        self._clock = clock

    async def claim(self, deliveries: Sequence[DueDelivery]) -> ClaimResult:
        """Claim a batch in one transaction; each apart when one of them breaks it. Raises InfrastructureAway.

        A claim is a lease for RetryPolicy.lease seconds. What is claimed must be recorded or released; else it expires,
        and the same attempt is made again.
        """
        try:
            (claimed, early), bodies = await self._claim_with_bodies(deliveries)
        except InfrastructureAway:
            raise
        # The edge of a batch: it was rolled back, and claiming each apart finds the one at fault.
        except Exception:  # noqa: BLE001
            return await self._claim_apart(deliveries)
        mine = {found.due.delivery_id for found in claimed}
        return ClaimResult(
            claimed=[(found, bodies.get(found.body_key)) for found in claimed],
            early=[(due, early[due.delivery_id]) for due in deliveries if due.delivery_id in early],
            refused=[due for due in deliveries if due.delivery_id not in mine | early.keys()],
        )

    async def _claim_with_bodies(
        self, deliveries: Sequence[DueDelivery]
    ) -> tuple[ClaimedRows, dict[BodyKey, WebhookBody]]:
        """Claim, and render the small bodies with it. Raises InfrastructureAway.

        When a body breaks the batch, the batch is claimed without bodies. Each attempt then renders its own, and the
        one that cannot be rendered fails alone.
        """

        def work(connection: Connection, *, with_bodies: bool) -> tuple[ClaimedRows, dict[BodyKey, WebhookBody]]:
            found, writes = claim_rows.choose(
                connection, deliveries, self._clock(), self._policy, _new_token, interval=self._interval
            )
            small = _small_bodies(found.claimed) if with_bodies else []
            return found, self._bodies.make(connection, small, first=writes)

        try:
            return await self._database.run(partial(work, with_bodies=True))
        except InfrastructureAway:
            raise
        # If no body was at fault, the second try raises again.
        except Exception as error:  # noqa: BLE001
            _log.warning(
                "Webhook bodies of a batch could not be rendered, each attempt renders its own",
                extra={"error": type(error).__name__},
            )
            return await self._database.run(partial(work, with_bodies=False))

    async def _claim_apart(self, deliveries: Sequence[DueDelivery]) -> ClaimResult:
        """One of these cannot be read or written: it must not stop the others. Must be called in an ``except``."""
        if len(deliveries) == 1:
            _log.exception(
                "Delivery could not be claimed, it is tried again in 60 s",
                extra={"delivery_id": deliveries[0].delivery_id},
            )
            return ClaimResult(broken=list(deliveries))
        result = ClaimResult()
        for due in deliveries:
            try:
                one = await self.claim([due])
            except InfrastructureAway:
                one = ClaimResult(refused=[due])
            result.claimed.extend(one.claimed)
            result.early.extend(one.early)
            result.refused.extend(one.refused)
            result.broken.extend(one.broken)
        return result

    async def release(self, claimed: Sequence[ClaimedDelivery]) -> None:
        """Give up leases of which no attempt was made. Never raises: what is not released expires."""
        try:
            await self._database.run(
                lambda connection: claim_rows.release(connection, claimed, self._clock(), self._policy)
            )
        except InfrastructureAway:
            _log.debug("The database is away, the leases expire", extra={"deliveries": len(claimed)})
        # The edge of a task: the sweeper finds the expired leases.
        except Exception:  # noqa: BLE001
            _log.exception("Leases could not be released, they expire", extra={"deliveries": len(claimed)})


def _small_bodies(claimed: Sequence[ClaimedDelivery]) -> list[BodyKey]:
    """The bodies that are rendered with the claim: small ones, and not too many."""
    chosen: dict[BodyKey, None] = {}
    room = _SMALL_IN_ALL
    for found in claimed:
        documents = found.documents if found.form is BodyForm.FULL else 0
        if documents <= min(_SMALL_CASE, room):
            chosen[found.body_key] = None
            # A body costs something without any document too.
            room -= documents + 1
    return list(chosen)


def _new_token() -> str:
    return str(uuid.uuid4())
