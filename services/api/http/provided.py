"""What a route may depend on: the application's parts by their type, and the trace of its request."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

from fastapi import Depends, FastAPI, Request

from shared.clock import Clock

P = TypeVar("P")


class ApplicationParts:
    """The objects that one application is made of, one of each type."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._by_type: dict[type, object] = {}

    def add(self, part: P) -> P:
        """Keep ``part``, and give it back. Raises ValueError when there is one of its type."""
        if type(part) in self._by_type:
            raise ValueError(f"the application has a {type(part).__name__} already")
        self._by_type[type(part)] = part
        return part

    def get(self, kind: type[P]) -> P:
        """The part of this type. Raises KeyError."""
        part = self._by_type[kind]
        assert isinstance(part, kind)
        return part


def parts_of(app: FastAPI) -> ApplicationParts:
    """The parts that ``create_app`` made ``app`` of."""
    parts: ApplicationParts = app.state.parts
    return parts


def provided(kind: type[P]) -> Callable[[Request], Awaitable[P]]:
    """The dependency that gives a route the application's part of this type."""

    async def find(request: Request) -> P:
        return parts_of(request.app).get(kind)

    return find


async def _traceparent(request: Request) -> str:
    found: str = request.state.traceparent
    return found


Trace = Annotated[str, Depends(_traceparent)]
"""The W3C trace context of the request."""
