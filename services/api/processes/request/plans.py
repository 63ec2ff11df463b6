"""What a look at a case, or the holding of it, says of a request. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Generic

from services.api.processes.request.answer import RequestOutcome, Shown


@dataclass(frozen=True)
class ReadPlan:
    """What a look at the case leaves to do: read the source first, or only commit."""

    read: bool
    again: bool = False
    """The case is stored, and has to be read anew."""
    version: str | None = None
    """The source's version of what is stored."""
    defer: bool = False
    """The source is left to the job."""
    unknown: bool = False
    """Nothing is stored of the case."""


@dataclass(frozen=True)
class AnsweredFromStore(Generic[Shown]):
    """The answer to a request that changes nothing but the record that it was made."""

    outcome: RequestOutcome
    shown: Shown
    noted_at: datetime | None
    """When the request is to be recorded; None: another one of the last minute stands for it."""


@dataclass(frozen=True)
class CaseHidden:
    """The case does not exist for the client: what was read of it is stored, where it was stored before."""
