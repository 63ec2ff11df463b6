"""What the routes and the wire hand to each other: a request that came in, the reply to send and how it ends."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum, auto

from autos.local.pdpj.bodies import Body


@dataclass(slots=True)
class Request:
    """A request with its whole body; ``path`` and ``query`` as they came."""

    method: str
    path: str
    query: str
    authorization: str | None
    body: bytes
    keep_alive: bool
    host: str = "127.0.0.1"


class Ending(Enum):
    """How an answer ends."""

    COMPLETE = auto()
    RESET = auto()
    """Connection reset, before the status line or after ``after_bytes`` of the body."""
    HANG = auto()
    """Nothing more, until the client goes away."""
    CUT = auto()
    """Connection closed after ``after_bytes`` of a longer promised body."""


@dataclass(slots=True)
class Reply:
    """What to send. ``headers`` are complete lines; Content-Length and Date are added.

    ``delay`` in seconds before the first byte; ``bytes_per_second`` paces the body; ``done`` gets the number of body
    bytes handed to the network, once, whether the answer was completed or not.
    """

    status: int
    headers: bytes = b""
    body: bytes | Body = b""
    delay: float = 0.0
    ending: Ending = Ending.COMPLETE
    after_bytes: int | None = None
    bytes_per_second: float | None = None
    done: Callable[[int], None] | None = None
    without_length: bool = False
    """Ended by the end of the connection, as HTTP/1.0 did, so that nobody can tell a whole body from a cut one."""
    raw: bytes | None = None
    """Sent as it stands in place of all this; then the connection is closed."""


Handler = Callable[[Request], Reply | Awaitable[Reply]]
