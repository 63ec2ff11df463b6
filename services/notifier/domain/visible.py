"""What a webhook may show of a finished job: nothing that is sealed. Pure.

A body passes through whatever lies between us and a receiver and stays in its logs, so nothing sealed goes into one:
neither links nor names. A client that asked with a key of the scope ``sealed`` finds it by ``documents_url``. For any
other client it does not exist, not even in the counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from shared.domain.secrecy import is_public_case
from shared.domain.statuses import JobStatus
from shared.domain.views import case_view, sealed_case_view, unknown_case_view
from shared.webhooks.facts import JobEnd
from sources.errors import ProcessNotFound


class BodyCounts(NamedTuple):
    """How many documents a job covers, how many of them are public, and how many of those have ended."""

    total: int
    public: int
    available: int
    failed: int


@dataclass(frozen=True, slots=True)
class VisibleCompletion:
    """What goes into the body. When ``documents_total`` is more than are shown, ``documents_url`` has the rest."""

    end: JobEnd
    case: Mapping[str, Any]
    documents_total: int
    shows_documents: bool = True
    """The public ones; none of a case that is sealed itself."""


def visible_completion(
    completion: Any, case: Any | None, numbers: BodyCounts, *, sealed: bool, public_url: str | None = None
) -> VisibleCompletion:
    """What a client may see of a job's end; ``sealed``: it asked with a key of that scope."""
    end = JobEnd.of(completion)
    unknown = unknown_case_view(completion.process_number, public_url)
    if case is None:
        return VisibleCompletion(end, unknown, numbers.total)
    if not is_public_case(case.secrecy_level):
        if not sealed:
            return VisibleCompletion(_not_found(end), unknown, 0, shows_documents=False)
        shown = sealed_case_view(completion.process_number, case.secrecy_level, public_url)
        return VisibleCompletion(end, shown, numbers.total, shows_documents=False)
    view = case_view(case._mapping, public_url)
    if sealed or numbers.public == numbers.total:
        return VisibleCompletion(end, view, numbers.total)
    return VisibleCompletion(end.counted(numbers.available, numbers.failed), view, numbers.public)


def _not_found(end: JobEnd) -> JobEnd:
    """The end of the job of a case that does not exist."""
    return replace(
        replace(end, error_code=None).counted(0, 0),
        status=JobStatus.FAILED.value,
        error_code=ProcessNotFound.CODE,
        error_message=ProcessNotFound.MESSAGE,
    )
