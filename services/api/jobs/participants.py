"""The clients that joined a job, and the webhooks that are called when it ends."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, and_, bindparam, func, literal, or_, select
from sqlalchemy.dialects.postgresql import insert

from services.api.jobs.model import CaseJob
from shared.db.catalog import job_clients, job_webhooks
from shared.events.webhook_subscribed import subscription_id

_NEW_WEBHOOK: Final = insert(job_webhooks).values(
    {
        name: bindparam(name)
        for name in ("subscription_id", "job_id", "client_id", "url", "sealed", "payload", "reference", "created_at")
    }
)
_NEW: Final = _NEW_WEBHOOK.excluded
# One that is there is written again only when it gains the scope, or another payload or reference.
_ATTACH: Final = _NEW_WEBHOOK.on_conflict_do_update(
    index_elements=["subscription_id"],
    set_={
        "sealed": or_(_NEW.sealed, job_webhooks.c.sealed),
        "payload": func.coalesce(_NEW.payload, job_webhooks.c.payload),
        "reference": func.coalesce(_NEW.reference, job_webhooks.c.reference),
    },
    where=or_(
        and_(_NEW.sealed, ~job_webhooks.c.sealed),
        and_(_NEW.payload.is_not(None), _NEW.payload.is_distinct_from(job_webhooks.c.payload)),
        and_(_NEW.reference.is_not(None), _NEW.reference.is_distinct_from(job_webhooks.c.reference)),
    ),
)
_ANY_WEBHOOK: Final = (
    select(job_webhooks.c.job_id).where(job_webhooks.c.job_id == bindparam("job_id")).limit(literal(1))
)
_ATTACHED: Final = select(job_webhooks.c.sealed, job_webhooks.c.payload, job_webhooks.c.reference).where(
    job_webhooks.c.subscription_id == bindparam("identity")
)
_HAS_JOINED: Final = select(job_clients.c.job_id).where(
    job_clients.c.job_id == bindparam("job_id"), job_clients.c.client_id == bindparam("client_id")
)
_JOIN: Final = (
    insert(job_clients)
    .values({name: bindparam(name) for name in ("job_id", "client_id", "joined_at")})
    .on_conflict_do_nothing()
)


@dataclass(frozen=True)
class WantedWebhook:
    """A URL that a client wants called when a job ends."""

    client_id: str
    url: str
    sealed: bool
    """Counting what is sealed."""
    reference: str | None
    """The client's own."""
    payload: str | None = None
    """``full`` or ``thin``; None: as its endpoint takes it."""

    def subscription_of(self, job: CaseJob) -> str:
        """The id of the subscription that it is for this job."""
        return subscription_id(job.job_id, self.client_id, self.url)


def attach_webhook(connection: Connection, job: CaseJob, wanted: WantedWebhook, now: datetime) -> tuple[str, bool]:
    """Record a URL to be called when the job ends: its subscription's id, and whether it says something new.

    The same job, client and URL are the same subscription. The caller holds the case, publishes WebhookSubscribed when
    it is new, and commits.
    """
    identity = wanted.subscription_of(job)
    row = {
        "subscription_id": identity,
        "job_id": job.job_id,
        "client_id": wanted.client_id,
        "url": wanted.url,
        "sealed": wanted.sealed,
        "payload": wanted.payload,
        "reference": wanted.reference,
        "created_at": now,
    }
    result = connection.execute(_ATTACH, row)
    return identity, result.rowcount == 1


def is_attached(connection: Connection, job: CaseJob, wanted: WantedWebhook) -> bool:
    """Whether the URL of this client will be called when the job ends, or was, with all that is ``wanted`` of it."""
    found = connection.execute(_ATTACHED, {"identity": wanted.subscription_of(job)}).one_or_none()
    if found is None or (wanted.sealed and not found.sealed):
        return False
    return wanted.reference in (None, found.reference) and wanted.payload in (None, found.payload)


def has_joined(connection: Connection, job: CaseJob, client_id: str) -> bool:
    """Whether the job is the client's: it started it, or has joined it."""
    if job.client_id == client_id:
        return True
    return connection.execute(_HAS_JOINED, {"job_id": job.job_id, "client_id": client_id}).first() is not None


def join(connection: Connection, job: CaseJob, client_id: str, now: datetime) -> None:
    """Note that a running job is this client's too; a repeat changes nothing.

    The caller holds the case's lock and commits.
    """
    if job.client_id != client_id:
        connection.execute(_JOIN, {"job_id": job.job_id, "client_id": client_id, "joined_at": now})


def has_webhook(connection: Connection, job_id: str) -> bool:
    """Whether anybody will be called when the job ends."""
    return connection.execute(_ANY_WEBHOOK, {"job_id": job_id}).first() is not None


def is_shared(connection: Connection, job_id: str, client_id: str) -> bool:
    """Whether another client is on the job: it has joined it, or will be called when the job ends."""
    others = (
        select(table.c.job_id).where(table.c.job_id == job_id, table.c.client_id != client_id).limit(1)
        for table in (job_clients, job_webhooks)
    )
    return any(connection.execute(other).first() is not None for other in others)
