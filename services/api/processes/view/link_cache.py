"""Presigned links: made once, and given out while they have enough time left."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Final, Protocol, TypeVar
from urllib.parse import urlsplit

from shared.clock import Clock
from shared.http.disposition import content_disposition
from shared.storage.links import LINK_SECONDS, SHORT_LINK_SECONDS

MIN_LINK_SECONDS: Final = 300
"""A link with less time left than this is replaced, so every link that is given out works at least that long."""
SEALED_TAG_SECONDS: Final = 60
"""The entity tag of a view with sealed links changes this often, so a cached view has links with four minutes left."""
_NAMELESS: Final = "attachment"
"""The Content-Disposition of a sealed document's link: the file is saved, not shown, and has no name."""
_SHOWN: Final = "inline"
_CACHE_SIZE: Final = 200_000
_SMALL: Final = 100
"""A view of up to so many documents is made on the event loop: a thread would cost about as much time."""

Built = TypeVar("Built")


@dataclass(frozen=True)
class Link:
    """A link to one object and when it stops working."""

    url: str
    expires_at: datetime


class Signer(Protocol):
    """What makes links (:func:`shared.storage.links.make_links`)."""

    def make(
        self,
        key: str,
        *,
        content_disposition: str | None = None,
        content_type: str | None = None,
        seconds: int = LINK_SECONDS,
    ) -> str:
        """A link to ``key`` that works for ``seconds``."""


class LinkCache:
    """Links by object, name and type, at most 200,000 of them. Safe to use from several threads."""

    def __init__(self, signer: Signer, clock: Clock, public_url: str | None = None) -> None:
        self.public_url = public_url
        """AUTOS_API_PUBLIC_URL: what links to the API itself begin with."""
        self._signer = signer
        self._clock = clock
        self._lock = threading.Lock()
        self._links: dict[tuple[str, str, str | None], Link] = {}

    def get(self, key: str, name: str, content_type: str | None, *, sealed: bool) -> Link:
        """A link with at least MIN_LINK_SECONDS left; to a ``sealed`` document a new one, short and nameless."""
        now = self._clock()
        if sealed:
            url = self._signer.make(
                key, content_disposition=_NAMELESS, content_type=content_type, seconds=SHORT_LINK_SECONDS
            )
            return Link(url, now + timedelta(seconds=SHORT_LINK_SECONDS))
        wanted = (key, name, content_type)
        held = self._links.get(wanted)
        if held is not None and (held.expires_at - now).total_seconds() >= MIN_LINK_SECONDS:
            return held
        url = self._signer.make(
            key, content_disposition=content_disposition(name, content_type), content_type=content_type
        )
        made = Link(url, now + timedelta(seconds=LINK_SECONDS))
        with self._lock:
            if len(self._links) >= _CACHE_SIZE:
                self._drop(now)
            self._links[wanted] = made
        return made

    def preview(self, key: str, content_type: str | None) -> Link:
        """A new link that a browser shows what is behind it with, and does not save it: short and nameless."""
        url = self._signer.make(key, content_disposition=_SHOWN, content_type=content_type, seconds=SHORT_LINK_SECONDS)
        return Link(url, self._clock() + timedelta(seconds=SHORT_LINK_SECONDS))

    @cached_property
    def origin(self) -> str:
        """Scheme, host and port that every link begins with."""
        split = urlsplit(self._signer.make("origin"))
        return f"{split.scheme}://{split.netloc}"

    async def build(self, make: Callable[[LinkCache], Built], documents: int) -> Built:
        """A view of so many documents, with links; a large one is made in a thread."""
        return make(self) if documents <= _SMALL else await asyncio.to_thread(make, self)

    def _drop(self, now: datetime) -> None:
        kept = {wanted: link for wanted, link in self._links.items() if link.expires_at > now}
        # Still full: the oldest half goes (a dict keeps the order of insertion).
        if len(kept) >= _CACHE_SIZE:
            kept = dict(list(kept.items())[len(kept) // 2 :])
        self._links = kept
