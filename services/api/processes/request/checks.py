"""What is checked of a request: whether it changes anything, and whether the case exists for its client."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection

from services.api.http.problems import NoAccess, ProcessNotFound
from services.api.jobs import participants
from services.api.processes.request.decisions import Ask, Decision, Step
from services.api.processes.request.discovery import Forbidden, Missing, Reading
from shared.domain.case import Case
from shared.domain.secrecy import is_public_case


def is_settled(connection: Connection, ask: Ask, decision: Decision) -> bool:
    """Whether the request changes nothing: no job to start or to join, no webhook to attach.

    Then it need not hold the case.
    """
    if decision.step is not Step.ANSWER:
        return False
    job = decision.job
    if job is None:
        return True
    if ask.download and not job.ended and not participants.has_joined(connection, job, ask.client_id):
        return False
    if ask.webhook_url is None:
        return True
    return participants.is_attached(connection, job, ask.client_id, ask.webhook_url, sealed=ask.viewer.sealed)


def is_hidden(case: Case, ask: Ask) -> bool:
    """Whether a case that was just read does not exist for the client."""
    return not is_public_case(case.secrecy_level) and not ask.viewer.sealed


def not_found(ask: Ask, headers: Mapping[str, str]) -> ProcessNotFound:
    """For a case that the source does not know, and for one that the client may not know of: one answer."""
    return ProcessNotFound(f"the source does not know the case {ask.number}", headers=headers)


def refuse(ask: Ask, reading: Reading | None, headers: Mapping[str, str]) -> None:
    """What the source says definitively is passed on, whatever is stored: the case may have become secret."""
    if isinstance(reading, Missing):
        raise not_found(ask, headers)
    if isinstance(reading, Forbidden):
        raise NoAccess(headers=headers)
