"""How many requests of a kind that stay open one client may have in this process."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, ClassVar

from fastapi import Depends
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from services.api.http.problems import Problem
from services.api.http.provided import provided


class TooManyStreams(Problem):
    """The client follows as many cases live as one client may."""

    status, code, title = 429, "too_many_streams", "Too many event streams"


class TooManyWaits(Problem):
    """The client has as many long polls open as one client may."""

    status, code, title = 429, "too_many_waits", "Too many long polls"


class OpenRequests:
    """Counts the open requests of each client; beyond ``limit`` for one client ``problem`` is raised.

    For one process: a client may have as many at each replica. For one event loop.
    """

    problem: ClassVar[type[Problem]] = Problem

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._open: Counter[str] = Counter()

    def admit(self, client_id: str) -> OpenRequest:
        """Count one more request of the client, until the answer's OpenRequest is closed.

        Raises ``problem`` (429, with Retry-After) when the client has as many already.
        """
        if self._open[client_id] >= self._limit:
            raise self.problem(f"a client may have {self._limit} at once", headers={"Retry-After": "5"})
        self._open[client_id] += 1
        return OpenRequest(self._open, client_id)

    @contextmanager
    def admitted(self, client_id: str) -> Iterator[None]:
        """Count one more request of the client for as long as the block takes.

        Raises ``problem`` as :meth:`admit` does.
        """
        request = self.admit(client_id)
        try:
            yield
        finally:
            request.close()

    def count(self, client_id: str) -> int:
        """How many requests of the client are open."""
        return self._open.get(client_id, 0)


class OpenRequest:
    """One open request of a client."""

    def __init__(self, open_requests: Counter[str], client_id: str) -> None:
        self._open = open_requests
        self._client_id = client_id

    def close(self) -> None:
        """Count it no longer. To be called once."""
        self._open[self._client_id] -= 1
        if self._open[self._client_id] <= 0:
            del self._open[self._client_id]


class OpenStreams(OpenRequests):
    """The event streams that are open in this process."""

    problem = TooManyStreams


class OpenWaits(OpenRequests):
    """The long polls that are open in this process."""

    problem = TooManyWaits


Streams = Annotated[OpenStreams, Depends(provided(OpenStreams))]
Waits = Annotated[OpenWaits, Depends(provided(OpenWaits))]


class CountedStream(StreamingResponse):
    """A stream that closes its open request when it ends, however it ends: also when it never began."""

    def of(self, request: OpenRequest) -> CountedStream:
        """This stream as the answer to ``request``."""
        self._request = request
        return self

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._request.close()
