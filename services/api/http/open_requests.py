"""How many requests of a kind that stay open one client may have in this process."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from services.api.http.problems import Problem


class TooManyStreams(Problem):
    """The client follows as many cases live as one client may."""

    status, code, title = 429, "too_many_streams", "Too many event streams"


class TooManyWaits(Problem):
    """The client has as many long polls open as one client may."""

    status, code, title = 429, "too_many_waits", "Too many long polls"


class Places:
    """Places for requests that stay open: ``limit`` for each client. ``problem`` is raised beyond it."""

    def __init__(self, limit: int, problem: type[Problem]) -> None:
        self._limit = limit
        self._problem = problem
        self._taken: Counter[str] = Counter()

    def take(self, client_id: str) -> Place:
        """A place, taken until it is left."""
        if self._taken[client_id] >= self._limit:
            raise self._problem(f"a client may have {self._limit} at once", headers={"Retry-After": "5"})
        self._taken[client_id] += 1
        return Place(self._taken, client_id)

    @contextmanager
    def taken(self, client_id: str) -> Iterator[None]:
        """A place for as long as the block takes."""
        place = self.take(client_id)
        try:
            yield
        finally:
            place.leave()

    def count(self, client_id: str) -> int:
        """How many places the client has taken."""
        return self._taken.get(client_id, 0)


class Place:
    """One place of a client."""

    def __init__(self, taken: Counter[str], client_id: str) -> None:
        self._taken = taken
        self._client_id = client_id

    def leave(self) -> None:
        """Give it back."""
        self._taken[self._client_id] -= 1
        if self._taken[self._client_id] <= 0:
            del self._taken[self._client_id]


class PlacedStream(StreamingResponse):
    """A stream that leaves its place when it ends, however it ends: also when it never began."""

    def placed(self, place: Place) -> PlacedStream:
        """This stream with its place."""
        self._place = place
        return self

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._place.leave()
