"""What requests for a case are decided by, what became of one, and what is read to show it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from sqlalchemy import Connection

from services.api.access import rate_limit as ratelimit
from services.api.jobs.model import Job
from services.api.processes.follow.markers import Marker
from services.api.processes.request.decisions import Ask
from services.api.processes.view import repository
from services.api.processes.view.reading import CaseParts, read_case
from shared.db.visibility import with_left_out
from shared.domain.secrecy import Sight

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
    share: bool = True
    """AUTOS_SHARE_CASES."""


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
    sight: Sight
    """What the client sees of the case."""


@dataclass(frozen=True)
class Todo:
    """What a look at the case leaves to do: read the source (again: it is stored, of this version), and decide."""

    read: bool
    again: bool = False
    version: str | None = None
    defer: bool = False
    """The source is left to the job."""


@dataclass(frozen=True)
class Hidden:
    """The case does not exist for the client: what was read of it is stored, where it was stored before."""


@dataclass(frozen=True)
class Answer:
    """The ProcessView, and what it is tagged and headed with."""

    view: dict[str, Any]
    outcome: Outcome
    headers: dict[str, str]


Shown = TypeVar("Shown")

Show = Callable[[Connection, Outcome], Shown]
"""Reads what is shown of a case, in the transaction of the outcome."""


def show_nothing(_connection: Connection, _outcome: Outcome) -> None:
    """For a request whose answer has no case in it."""


def show_case(connection: Connection, outcome: Outcome, ask: Ask) -> CaseParts:
    """What the ProcessView of an outcome is made of."""
    is_told, webhook = _webhooks(connection, outcome, ask)
    stale = outcome.stale and outcome.stored
    return read_case(
        connection,
        ask.number,
        with_left_out(connection, ask.number, outcome.sight),
        outcome.job,
        webhook,
        is_told=is_told,
        stale=stale,
        documents=ask.documents,
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
