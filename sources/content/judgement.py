"""What is to be said of a document that came whole: the listing held against the bytes. Pure.

A listing is a hint. Several documents share one size on the portal, so a size alone proves nothing; together with a
PDF that lacks its end it does. What looks wrong is asked for again, and kept with a warning where the source has
nothing better.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from shared.domain.case import Rendition
from sources.content.recognise import agrees
from sources.errors import ShortBody

TAIL_BYTES: Final = 4096
"""The end of a PDF stands in its last kilobytes; readers look for it in the last one, producers append a little."""

TYPE_DIFFERS: Final = "type_differs"
SIZE_DIFFERS: Final = "size_differs"
NO_END: Final = "pdf_without_end"

_PDF: Final = "application/pdf"
_SMALLEST_PDF: Final = 16


@dataclass(frozen=True, slots=True)
class Listed:
    """What the case's listing says of a document. ``size`` is bytes."""

    content_type: str | None = None
    size: int | None = None
    rendition: str = Rendition.BINARY.value

    @property
    def is_text(self) -> bool:
        """Whether it is the document's text that is fetched; the listing's type and size are those of its file."""
        return self.rendition == Rendition.TEXT.value

    @property
    def expected_type(self) -> str | None:
        """The media type to be expected."""
        return "text/plain" if self.is_text else self.content_type


UNLISTED: Final = Listed()


@dataclass(frozen=True, slots=True)
class Judgement:
    """``warnings`` are stable codes. ``doubtful``: another attempt may bring something better."""

    warnings: tuple[str, ...] = ()
    doubtful: bool = False


def judge(media_type: str, received: int, tail: bytes, listed: Listed) -> Judgement:
    """``received`` is bytes, ``tail`` the last :data:`TAIL_BYTES` of them. Raises ShortBody."""
    if listed.is_text:
        return Judgement()
    ends = media_type != _PDF or b"%%EOF" in tail
    size_differs = listed.size is not None and listed.size != received
    if not ends and listed.size is not None and received < listed.size:
        raise ShortBody("the document ends before its listed size, without the end of a PDF")
    type_differs = not agrees(listed.content_type, media_type)
    # What has no room for a beginning and an end has lost nothing on the way.
    cut = not ends and received >= _SMALLEST_PDF
    found = ((TYPE_DIFFERS, type_differs), (NO_END, not ends), (SIZE_DIFFERS, size_differs))
    return Judgement(tuple(name for name, is_so in found if is_so), doubtful=type_differs or cut)
