"""The webhook that a view shows: the caller's subscription of a job, and how far the notifier is with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Uuid, bindparam, exists, func, literal, select, true

from shared.db import delivery
from shared.db.catalog import job_webhooks
from shared.db.prepared import Prepared
from shared.domain.statuses import DeliveryStatus

_OWN: Final = (
    select(job_webhooks.c.url, job_webhooks.c.subscription_id, delivery.deliveries.c.status)
    .join(
        delivery.deliveries,
        delivery.deliveries.c.subscription_id == job_webhooks.c.subscription_id,
        isouter=True,
    )
    .where(
        job_webhooks.c.job_id == bindparam("job_id"),
        job_webhooks.c.client_id == bindparam("client_id"),
        job_webhooks.c.subscription_id
        == func.coalesce(bindparam("subscription_id", type_=Uuid(as_uuid=False)), job_webhooks.c.subscription_id),
    )
    .order_by(job_webhooks.c.created_at.desc())
    .limit(literal(1))
    .subquery("own")
)
_ANYBODY: Final = select(exists().where(job_webhooks.c.job_id == bindparam("job_id")).label("has_webhook")).subquery(
    "anybody"
)
_WEBHOOKS: Final = Prepared(
    "autos_webhooks", select(_ANYBODY.c.has_webhook, *_OWN.c).select_from(_ANYBODY.join(_OWN, true(), isouter=True))
)


@dataclass(frozen=True)
class Webhook:
    """A subscription of the caller and how far its delivery is (None: the notifier has not seen it yet)."""

    url: str
    subscription_id: str
    delivery_status: str | None

    def view(self) -> dict[str, Any]:
        """The WebhookView."""
        return {
            "url": self.url,
            "subscription_id": self.subscription_id,
            "status": self.delivery_status or DeliveryStatus.PENDING,
        }


def webhooks_of(
    connection: Connection, job_id: str, client_id: str, subscription_id: str | None = None
) -> tuple[bool, Webhook | None]:
    """Whether anybody is called when a job ends, and the caller's subscription: the one named, else the newest."""
    wanted = {"job_id": job_id, "client_id": client_id, "subscription_id": subscription_id}
    row = _WEBHOOKS.run(connection, wanted).one()
    mine = Webhook(row.url, row.subscription_id, row.status) if row.subscription_id is not None else None
    return row.has_webhook, mine
