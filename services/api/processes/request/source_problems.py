"""What the source's answer refuses a client, and a case that does not exist for its client."""

from __future__ import annotations

from collections.abc import Mapping

from services.api.http.problems import NoAccessProblem, ProcessNotFoundProblem
from services.api.processes.request.case_request import CaseRequest
from services.api.processes.request.source_reader import CaseForbidden, CaseMissing, SourceAnswer
from shared.domain.case import Case
from shared.domain.secrecy import is_public_case


def is_hidden(case: Case, request: CaseRequest) -> bool:
    """Whether a case that was just read does not exist for the client."""
    return not is_public_case(case.secrecy_level) and not request.viewer.sealed


def not_found(request: CaseRequest, headers: Mapping[str, str]) -> ProcessNotFoundProblem:
    """The one problem of a case that the source does not know, and of one that the client may not know of."""
    return ProcessNotFoundProblem(f"the source does not know the case {request.number}", headers=headers)


def refuse(request: CaseRequest, reading: SourceAnswer | None, headers: Mapping[str, str]) -> None:
    """Raise what the source says for good, whatever is stored: the case may have become secret.

    Raises ProcessNotFoundProblem or NoAccessProblem, with these ``headers``; nothing for any other answer.
    """
    if isinstance(reading, CaseMissing):
        raise not_found(request, headers)
    if isinstance(reading, CaseForbidden):
        raise NoAccessProblem(headers=headers)
