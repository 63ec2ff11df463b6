"""Which documents of a case an archive holds (pure)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class ArchiveFilter:
    """``types``: names or codes in lower case, none means all. ``since``: filed then or later; undated ones are not."""

    types: frozenset[str] = frozenset()
    since: datetime | None = None

    @classmethod
    def of(cls, types: Iterable[str], since: datetime | None) -> ArchiveFilter:
        """What a query says: each text is a name or code, or several by commas. A name may hold a comma itself."""
        wanted = {part.strip().casefold() for text in types for part in (text, *text.split(","))}
        return cls(frozenset(wanted - {""}), since)

    def takes(self, type_: str | None, type_code: str | None, filed_at: datetime | None) -> bool:
        """Whether a document with this type and filing date is wanted."""
        if self.since is not None and (filed_at is None or filed_at < self.since):
            return False
        return not self.types or any(one is not None and one.casefold() in self.types for one in (type_, type_code))
