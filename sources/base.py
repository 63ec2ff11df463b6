"""What a source offers, in our own model: a case by its number, and a document by its address in the case.

A source is added in :mod:`sources.registry` (docs/adr/0024-a-second-source.md). Every method raises only errors of
:mod:`sources.errors`, whose classes say what a caller does about each.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from shared.clock import Clock, utc_now
from shared.db.engine import Database
from shared.domain.case import Case
from sources.content.judgement import UNLISTED, Judgement, Listed
from sources.errors import SourceError

RequestEnded = Callable[[str, SourceError | None, float], None]
"""Called at the end of each request with its case, how it failed if it did, and the seconds that it took."""


class OpenDocument(Protocol):
    """A document whose first bytes have come and are what was asked for."""

    @property
    def content_type(self) -> str:
        """Checked against the bytes; its charset is certain when the last byte has come."""

    @property
    def judgement(self) -> Judgement:
        """What is odd about the document; known when the last byte has come."""

    @property
    def answer_headers(self) -> Sequence[str]:
        """``name: value`` of the answer's headers that are kept (:mod:`sources.content.answer_headers`)."""

    def aiter_bytes(self) -> AsyncIterator[bytes]:
        """The whole content, once, in pieces as they come. Nothing is held but the piece.

        Raises SourceError when it is cut short, too large or too slow; what came before must then be thrown away.
        """


class CourtSource(Protocol):
    """Where cases come from. ``number`` is a CNJ number with its mask.

    Every method may be called as often at once as the caller likes; a gate bounds it where there is one. Cancellation
    goes through: the deadline of a reading is the caller's. Nothing is retried here but a request whose token had
    ended.
    """

    async def fetch_case(self, number: str, *, read_timeout: float | None = None) -> Case:
        """The case with its documents, in one reading. Raises SourceError.

        What is beyond the bounds of one case (AUTOS_CASE_MAX_DOCUMENTS and its brothers) is left out and counted in
        ``Case.left_out``. ``read_timeout`` as in :meth:`open_document`.
        """

    async def last_update(self, number: str, *, within: float | None = None) -> str | None:
        """Something that changes when the case does, to compare and nothing else; None where that cannot be told.

        ``within`` is seconds; a connection that gave no answer by then is closed. Raises SourceError. It neither renews
        a token nor counts a refusal: the case itself does that.
        """

    def open_document(
        self, source_path: str, listed: Listed = UNLISTED, *, read_timeout: float | None = None
    ) -> AbstractAsyncContextManager[OpenDocument]:
        """The content at ``CaseDocument.source_path``; entering raises SourceError for all but a document.

        ``listed`` is what the case says of it. ``read_timeout``: seconds that each piece of the answer may take, where
        that is less than the source's own time-out, and over which its pace is taken.
        """

    async def aclose(self) -> None:
        """Close every connection."""


def _ignore_end(_case: str, _error: SourceError | None, _seconds: float) -> None:
    """Nobody listens."""


def _ignore_refusal() -> None:
    """Nobody listens."""


@dataclass(frozen=True, slots=True)
class SourceContext:
    """What a process lends to the sources that it connects to.

    ``database`` is where processes share tokens. ``read_only``: this process may not write there, so it renews no token
    that works once. ``on_refused`` is called each time that the source refuses our credentials.
    """

    database: Database
    read_only: bool = False
    clock: Clock = utc_now
    on_end: RequestEnded = _ignore_end
    on_refused: Callable[[], None] = _ignore_refusal
