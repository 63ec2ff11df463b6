"""What became of a request for a case, and what is read to show it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

from sqlalchemy import Connection

from services.api.access import rate_limit as ratelimit
from services.api.http.problems import Problem
from services.api.jobs.model import CaseJob
from services.api.jobs.references import read_reference
from services.api.processes.request.case_request import CaseRequest
from services.api.processes.view.case_parts import CaseParts, read_case
from services.api.processes.view.version import CaseVersion
from services.api.processes.view.webhook import Webhook, webhooks_of
from shared.db.new_case import NewCase
from shared.db.visibility import with_left_out
from shared.domain.secrecy import Sight


class OutcomeKind(StrEnum):
    """What became of a request; also in the entries of a batch, where a request may be refused."""

    ACCEPTED = "accepted"
    """A job was started."""
    JOINED = "joined"
    """A job is running."""
    STORED = "stored"
    """What is stored answers the request."""
    REFUSED = "refused"
    """A problem says why."""


@dataclass(frozen=True)
class RequestOutcome:
    """What became of a request."""

    kind: OutcomeKind
    job: CaseJob | None
    version: CaseVersion
    is_stored: bool
    """Whether anything of the case is stored yet."""
    is_stale: bool
    """Whether what is stored should have been read again, but could not be."""
    subscription_id: str | None
    allowance: ratelimit.Allowance | None
    sight: Sight
    """What the client sees of the case."""
    new: NewCase | None = None
    """What this very request wrote of a case of which nothing was stored."""


@dataclass(frozen=True)
class RequestRefusal:
    """Why a request was not carried out, and how the client's limit stands, where the request asked that."""

    problem: Problem
    allowance: ratelimit.Allowance | None


@dataclass(frozen=True)
class CaseAnswer:
    """The ProcessView, with its entity tag and headers."""

    view: dict[str, Any]
    outcome: RequestOutcome
    tag: str
    headers: dict[str, str]


Shown = TypeVar("Shown")

Show = Callable[[Connection, RequestOutcome], Shown]
"""Reads what is shown of a case, in the transaction of the outcome."""


def show_nothing(_connection: Connection, _outcome: RequestOutcome) -> None:
    """For a request whose answer has no case in it."""


def show_case(connection: Connection, outcome: RequestOutcome, request: CaseRequest) -> CaseParts:
    """What the ProcessView of an outcome is made of."""
    has_webhook, webhook = _webhooks(connection, outcome, request)
    job, reference = outcome.job, request.reference
    # One that is given with the request has been written, where there is a job that it can be the reference of; a job
    # of this very request has no other.
    if job is not None and not reference and outcome.kind is not OutcomeKind.ACCEPTED:
        reference = read_reference(connection, job.job_id, request.client_id)
    sight = with_left_out(connection, request.number, outcome.sight)
    # Before the case's first job nothing can have been projected of it: all there is was just written.
    is_first = outcome.version.jobs <= (1 if outcome.kind is OutcomeKind.ACCEPTED else 0)
    return read_case(
        connection,
        request.number,
        sight,
        job,
        webhook,
        has_webhook=has_webhook,
        stale=outcome.is_stale and outcome.is_stored,
        reference=reference,
        documents=request.documents,
        new=outcome.new if is_first else None,
    )


def _webhooks(connection: Connection, outcome: RequestOutcome, request: CaseRequest) -> tuple[bool, Webhook | None]:
    if outcome.job is None:
        return False, None
    if outcome.kind is not OutcomeKind.ACCEPTED:
        return webhooks_of(connection, outcome.job.job_id, request.client_id, outcome.subscription_id)
    # A job of this very request: nobody else can have a webhook on it yet.
    if request.webhook_url is None or outcome.subscription_id is None:
        return False, None
    return True, Webhook(request.webhook_url, outcome.subscription_id, None)
