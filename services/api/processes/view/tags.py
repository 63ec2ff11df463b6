"""Entity tags: one for each state of a case, and for what a viewer sees of it."""

from __future__ import annotations

import zlib

from services.api.processes.view.link_cache import MIN_LINK_SECONDS, SEALED_TAG_SECONDS
from services.api.processes.view.version import CaseVersion
from shared.clock import Clock
from shared.domain.secrecy import Sight


class EntityTags:
    """Makes the entity tags of views."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def of(self, version: CaseVersion, sight: Sight, *more: object) -> str:
        """The entity tag of a view of the case as ``sight`` sees it, and of what ``more`` it shows.

        It also changes every MIN_LINK_SECONDS, so that no client keeps links that no longer work; sooner where links of
        sealed documents are shown.
        """
        renewed = SEALED_TAG_SECONDS if sight.sealed else MIN_LINK_SECONDS
        shown = (*more, sight.sealed, sight.hides) if sight.sealed or sight.hides else more
        extra = f".{zlib.crc32(repr(shown).encode()):x}" if shown else ""
        return f'W/"{version.text()}.{int(self._clock().timestamp() // renewed):x}{extra}"'
