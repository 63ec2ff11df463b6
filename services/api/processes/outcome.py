"""What requests for a case are decided by, what became of one, and what is read to show it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection

from services.api import ratelimit
from services.api.jobs.model import Job
from services.api.processes import repository
from services.api.processes.decisions import Ask
from services.api.processes.markers import Marker
from services.api.processes.reading import CaseParts, read_case

ACCEPTED: Final = "accepted"
"""A job was started."""
JOINED: Final = "joined"
"""A job is running."""
STORED: Final = "stored"
"""What is stored answers the request."""


@dataclass(frozen=True)
class Rules:
    """The settings that requests are decided by. Seconds."""

    ttl_seconds: float
    limit: ratelimit.Limit
    max_active_jobs: int


@dataclass(frozen=True)
class Payment:
    """What has been paid for a request before it is carried out."""

    allowance: ratelimit.Allowance | None = None
    """How the limit stands after this request paid for a read; None when it has not."""
    has_job: bool = False
    """Whether this client paid for the read that a job is started by: what a request causes together costs once."""

    def is_due(self, *, starts: bool, attaches: bool) -> bool:
        """Whether a request that starts a job or attaches a webhook is still to be paid for."""
        if starts:
            return not self.has_job
        return attaches and self.allowance is None


@dataclass(frozen=True)
class Outcome:
    """What became of a request."""

    kind: str
    """:data:`ACCEPTED`, :data:`JOINED` or :data:`STORED`."""
    job: Job | None
    marker: Marker
    stored: bool
    """Whether anything of the case is stored yet."""
    stale: bool
    """Whether what is stored should have been read again, but could not be."""
    subscription_id: str | None
    allowance: ratelimit.Allowance | None


@dataclass(frozen=True)
class Answer:
    """The ProcessView, and what it is tagged and headed with."""

    view: dict[str, Any]
    outcome: Outcome
    headers: dict[str, str]


def show_case(connection: Connection, outcome: Outcome, ask: Ask) -> CaseParts:
    """What the ProcessView of an outcome is made of."""
    is_told, webhook = _webhooks(connection, outcome, ask)
    stale = outcome.stale and outcome.stored
    return read_case(
        connection, ask.number, outcome.job, webhook, is_told=is_told, stale=stale, documents=ask.documents
    )


def _webhooks(connection: Connection, outcome: Outcome, ask: Ask) -> tuple[bool, repository.Webhook | None]:
    if outcome.job is None:
        return False, None
    if outcome.kind != ACCEPTED:
        return repository.webhooks_of(connection, outcome.job.job_id, ask.client_id, outcome.subscription_id)
    # A job of this very request: nobody else can have a webhook on it yet.
    if ask.webhook_url is None or outcome.subscription_id is None:
        return False, None
    return True, repository.Webhook(ask.webhook_url, outcome.subscription_id, None)
