"""The control request: something that is nobody's waiting document, asked to tell an outage from a bad case.

First documents that the source gave this worker not long ago, of cases that are not failing: the head of the answer is
enough, then the connection is closed. Where there are none, a case: any well-formed answer shows that the source is
there, though not that it gives documents.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from enum import Enum, auto
from time import monotonic
from typing import Final, Protocol

from shared.domain import cnj
from sources.errors import CredentialsRefused, SourceError, SourceThrottled, SourceUnavailable

READ_TIMEOUT_SECONDS: Final = 12.0
"""For the head of each answer."""
NEUTRAL_CASE: Final = cnj.make(1, 2000, 8, 26, 1)
"""A well-formed number that no case has to have: "not found" is an answer too."""

_KEPT: Final = 8
_KEPT_SECONDS: Final = 1800.0
_ASKED: Final = 2
"""So many documents, of different cases, must fail before that is the source's fault."""


class ControlResult(Enum):
    """What the control request found."""

    DOCUMENT = auto()
    """The source gives documents."""
    CASE = auto()
    """It knows cases; there was no document to ask for, or too few."""
    AWAY = auto()
    THROTTLED = auto()
    NOTHING = auto()
    """It could not be asked."""


class ControlRequest(Protocol):
    """What the gate needs of it."""

    async def ask(self, failing: frozenset[str | None]) -> tuple[ControlResult, float | None]:
        """What is found, ``failing`` being the cases in doubt; and the seconds that the source asks to wait."""


class ControlledSource(Protocol):
    """The part of :class:`sources.base.CourtSource` that this needs."""

    def open_document(
        self, source_path: str, *, read_timeout: float | None = None
    ) -> AbstractAsyncContextManager[object]:
        """Entering raises SourceError for all but a document."""

    async def fetch_case(self, number: cnj.ProcessNumber, *, read_timeout: float | None = None) -> object:
        """Raises SourceError."""


class SourceControlRequest:
    """Asks ``source``, which must not have a gate of its own. Remembers one document of each of the last few cases."""

    def __init__(self, source: ControlledSource, *, clock: Callable[[], float] = monotonic) -> None:
        self._source = source
        self._clock = clock
        self._given: OrderedDict[str, tuple[str, float]] = OrderedDict()

    def remember(self, case: str, source_path: str) -> None:
        """The source has just given this document of the case."""
        self._given[case] = (source_path, self._clock())
        self._given.move_to_end(case)
        if len(self._given) > _KEPT:
            self._given.popitem(last=False)

    async def ask(self, failing: frozenset[str | None]) -> tuple[ControlResult, float | None]:
        """See :class:`ControlRequest`. Asks for up to three documents, then for a case; never raises what the source
        did.
        """
        try:
            found = await self._ask_documents(failing)
            return await self._ask_case() if found is None else found
        except SourceThrottled as error:
            return ControlResult.THROTTLED, error.retry_after
        except CredentialsRefused:
            return ControlResult.NOTHING, None

    async def _ask_documents(self, failing: frozenset[str | None]) -> tuple[ControlResult, float | None] | None:
        """None when these documents do not tell."""
        wait: float | None = None
        failed = 0
        for case, path in self._documents(failing):
            try:
                async with self._source.open_document(path, read_timeout=READ_TIMEOUT_SECONDS):
                    return ControlResult.DOCUMENT, None
            except SourceUnavailable as error:
                # Another one the next time.
                self._given.move_to_end(case, last=False)
                failed += case not in failing
                wait = error.retry_after or wait
            except (SourceThrottled, CredentialsRefused):
                raise
            except SourceError:
                return ControlResult.DOCUMENT, None  # whoever answers for a document is there
        return (ControlResult.AWAY, wait) if failed >= _ASKED else None

    async def _ask_case(self) -> tuple[ControlResult, float | None]:
        try:
            await self._source.fetch_case(NEUTRAL_CASE, read_timeout=READ_TIMEOUT_SECONDS)
        except SourceUnavailable as error:
            return ControlResult.AWAY, error.retry_after
        except (SourceThrottled, CredentialsRefused):
            raise
        except SourceError:
            pass
        return ControlResult.CASE, None

    def _documents(self, failing: frozenset[str | None]) -> list[tuple[str, str]]:
        """Latest first; those of failing cases last, as they can only speak for the source."""
        oldest = self._clock() - _KEPT_SECONDS
        known = [(case, path) for case, (path, at) in reversed(self._given.items()) if at >= oldest]
        return sorted(known, key=lambda each: each[0] in failing)[: _ASKED + 1]
