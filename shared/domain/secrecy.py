"""The rule of secrecy, pure: who may see what of a case. Its form in SQL is :mod:`shared.db.visibility`.

A level above PUBLICO, and one that is not known, is sealed. A case or a document that is sealed is seen by clients that
asked for the case with a key of the scope ``sealed``, and by them with such a key only. A client sees nothing of a case
that it did not ask for.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

PUBLIC_LEVEL: Final = 0
PUBLIC_WORDS: Final = ("PUBLICO", "0")
"""What a document's level is when everybody may see it, as a word or as a number in a text; nothing else is."""
UNKNOWN: Final = "DESCONHECIDO"
"""A document's level of which the source said something that nobody understands."""


def is_public_case(level: int | None) -> bool:
    """Whether a case of this level is open; None is a level that is not known."""
    return level == PUBLIC_LEVEL


def is_public_document(level: str | None) -> bool:
    """Whether a document of this level is as open as its case; None: the listing has no level, so it has the case's."""
    return level is None or level in PUBLIC_WORDS


def is_public(case_level: int | None, level: str | None) -> bool:
    """Whether a document is open to everybody who may see its case, and the case is open too."""
    return is_public_case(case_level) and is_public_document(level)


def listed_level(item: Mapping[str, Any], read: str | None, name: str = "nivelSigilo") -> str | None:
    """A listed document's level: ``read`` is what could be read of it.

    A listing that has the field and no word in it (null, an object) says something that is not understood, which is
    another thing than saying nothing.
    """
    return UNKNOWN if read is None and name in item else read


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who looks: a client, and whether the key that it uses now has the scope ``sealed``."""

    client_id: str
    sealed: bool


@dataclass(frozen=True, slots=True)
class LeftOut:
    """The documents of a case that are left out: what is shown of the others must not tell where they are.

    Positions in answers are renumbered by :meth:`place`, and those in cursors turned back by :meth:`position`.
    """

    positions: tuple[int, ...] = ()
    """Rising."""
    ids: frozenset[str] = frozenset()

    def place(self, position: int) -> int:
        """The place of a document among those that are shown."""
        return position - bisect_left(self.positions, position)

    def position(self, place: int) -> int:
        """The place in the case of the document that is shown at ``place``."""
        found = place
        for hidden in self.positions:
            if hidden > found:
                break
            found += 1
        return found

    def applied(self, view: dict[str, Any]) -> dict[str, Any]:
        """A DocumentView without what it tells of documents that are left out."""
        same = view["duplicate_of"]
        return {
            **view,
            "position": self.place(view["position"]),
            "duplicate_of": None if same in self.ids else same,
        }


NOTHING_LEFT_OUT: Final = LeftOut()


@dataclass(frozen=True, slots=True)
class Sight:
    """What a viewer sees of a case that it may see at all."""

    sealed: bool
    """Sealed documents too."""
    case_sealed: bool = False
    """The case itself is sealed, and all of its documents with it."""
    hides: bool = False
    """Documents of the case are left out, so that counts have to be made of those that are shown."""
    left_out: LeftOut = NOTHING_LEFT_OUT
    """Them (:func:`shared.db.visibility.read_sight`)."""
    reference_changes: int = 0
    """How often the viewer gave a job of the case another reference of its own: its views are others after each."""

    def is_less_than(self, before: Sight | None) -> bool:
        """Whether the viewer no longer sees all that it saw ``before`` (None: nothing yet)."""
        return before is not None and before.sealed and not self.sealed

    def is_sealed(self, level: str | None) -> bool:
        """Whether a document of this level is to be handled as sealed: a short link without its name."""
        return self.case_sealed or not is_public_document(level)


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What is known of a client and a case."""

    asked: bool
    """The client has asked for the case."""
    asked_sealed: bool
    """It did so with a key of the scope ``sealed``."""
    stored: bool
    """The source was read."""
    level: int | None
    has_sealed_documents: bool = False
    reference_changes: int = 0

    @property
    def case_sealed(self) -> bool:
        """Whether the case is sealed. One of which nothing is stored has nothing to hide yet."""
        return self.stored and not is_public_case(self.level)

    def sight(self, viewer: Viewer) -> Sight | None:
        """What ``viewer`` sees; None: for it the case is as one that was never asked for."""
        if not self.asked:
            return None
        sees_sealed = viewer.sealed and self.asked_sealed
        if self.case_sealed and not sees_sealed:
            return None
        hides = self.has_sealed_documents and not sees_sealed
        return Sight(sees_sealed, self.case_sealed, hides, reference_changes=self.reference_changes)
