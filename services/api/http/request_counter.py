"""Counts what a connection sends, part by part of each request, and holds it against the bounds (no I/O)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from services.api.http.bounds import ADDRESS_BYTES, HEADER_FIELDS, RequestBounds, address_too_long, field_bytes
from services.api.http.problems import Problem

PIECE_BYTES: Final = 16384
"""What the parser gets at once: a bound may be passed by so many bytes before that is noticed."""


class RequestCounter:
    """Counts one request after another. Each method raises the problem of the bound that is passed.

    ``refusal`` keeps that problem, since the parser, which calls the methods, raises an error of its own instead.
    """

    def __init__(self, bounds: RequestBounds) -> None:
        self._bounds = bounds
        self.refusal: Problem | None = None
        self.is_between = True
        """Between two requests, or before the first: nothing of a request has come."""
        self.is_in_head = True
        self.part = 0
        """Counts beginnings and ends of heads and bodies: another number is another part."""
        self._part_bytes = 0
        self._head_bytes = 0
        self._fields = 0
        self._body_bytes = 0

    @property
    def seconds(self) -> float:
        """The time that the part has to arrive in."""
        return self._bounds.head_seconds if self.is_in_head else self._bounds.body_seconds

    def begin(self) -> None:
        """A request begins."""
        self.is_between, self.is_in_head = False, True
        self.part += 1
        self._head_bytes = self._fields = self._body_bytes = 0

    def address(self, length: int) -> None:
        """So many bytes of path and query have come."""
        if length > ADDRESS_BYTES:
            self.refuse(address_too_long())

    def field(self, name: bytes, value: bytes) -> None:
        """A header field has come."""
        self._fields += 1
        self._head_bytes += field_bytes((name, value))
        if self._fields > HEADER_FIELDS or self._head_bytes > self._bounds.head_bytes:
            self.refuse(self._bounds.head_too_large())

    def length(self, headers: Sequence[tuple[bytes, bytes]]) -> None:
        """All headers have come: what they say of the body's length."""
        if any(name == b"content-length" and not self._bounds.allows_body(value) for name, value in headers):
            self.refuse(self._bounds.body_too_large())

    def end_head(self) -> None:
        """The head has ended."""
        self.is_in_head = False
        self.part += 1

    def body(self, count: int) -> None:
        """So many bytes of the body have come."""
        self._body_bytes += count
        if self._body_bytes > self._bounds.body_bytes:
            self.refuse(self._bounds.body_too_large())

    def end(self) -> None:
        """The request has ended."""
        self.is_between, self.is_in_head = True, True
        self.part += 1

    def piece(self, count: int, part_before: int) -> None:
        """The parser has taken so many bytes: in the part that it was in before, or the next ones."""
        if part_before != self.part:
            self._part_bytes = 0
            return
        self._part_bytes += count
        if self.is_in_head and self._part_bytes > self._bounds.head_bytes + PIECE_BYTES:
            self.refuse(self._bounds.head_too_large())
        if not self.is_in_head and self._part_bytes > self._bounds.wire_bytes:
            self.refuse(self._bounds.body_too_large())

    def refuse(self, problem: Problem) -> None:
        """Raise ``problem``, and keep it."""
        self.refusal = problem
        raise problem
