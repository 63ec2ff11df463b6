"""Change detection: a case is read again only when its last update at the source is not the one that is stored.

The data lake answers HEAD ultima-atualizacao (docs/adr/0012-change-detection.md); the portal has nothing of the kind,
so there every case is read.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final, Protocol

from shared.domain.case import Case
from shared.domain.cnj import ProcessNumber
from sources.errors import CredentialsRefused, SourceError, SourceThrottled

_VERSION_PART: Final = 0.25
"""Of the time for a reading, what the question for the version may take."""


class TellsChanges(Protocol):
    """The part of :class:`sources.base.CourtSource` that this needs."""

    async def fetch_case(self, number: ProcessNumber) -> Case:
        """The case as the source has it now. Raises SourceError."""

    async def last_update(self, number: ProcessNumber, *, within: float | None = None) -> str | None:
        """Something that changes when the case does; None where that cannot be told. Raises SourceError."""


@dataclass(frozen=True, slots=True)
class FreshCase:
    """The case as the source has it. ``version`` is to be stored with it, None when it must be read again next time."""

    case: Case
    version: str | None


@dataclass(frozen=True, slots=True)
class UnchangedCase:
    """The source has nothing newer than what is stored with this ``version``."""

    version: str


async def read_changed(
    source: TellsChanges, number: ProcessNumber, stored: str | None, *, seconds: float
) -> FreshCase | UnchangedCase:
    """The case, unless its version is the ``stored`` one. Raises SourceError.

    The version is asked for before the case: a change between the two is then read again, rather than missed. It has a
    part of the ``seconds`` that the caller gives the reading as a whole, so that it cannot take the time of the case.
    """
    version = await _version(source, number, seconds * _VERSION_PART)
    if version is not None and version == stored:
        return UnchangedCase(version)
    case = await source.fetch_case(number)
    # A list with nothing or with gaps in it may be the source's trouble of the moment: it must not be kept for good.
    return FreshCase(case, version if case.complete else None)


async def _version(source: TellsChanges, number: ProcessNumber, seconds: float) -> str | None:
    """None when it does not come: what the source says of the case itself is what counts."""
    try:
        async with asyncio.timeout(seconds):
            return await source.last_update(number, within=seconds)
    except (SourceThrottled, CredentialsRefused):
        # These are not about this address: to ask for the case now would make it worse.
        raise
    except (SourceError, TimeoutError):
        return None
