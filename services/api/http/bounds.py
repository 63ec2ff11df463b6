"""The bounds of a request, held before anybody works for it, and the problems of what passes them (pure functions).

docs/reference/limits.md lists every bound. The connection (:mod:`services.api.http.connection`) holds them while
bytes come in; :mod:`services.api.http.middleware` holds them again for whatever server runs the application.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from services.api.http.problems import BodyTooLarge
from services.api.http.refusals import AddressTooLong, HeadTooLarge, TooManyParameters
from services.api.settings import ApiSettings

ADDRESS_BYTES: Final = 8192
"""Of path and query as they were sent, escapes and all."""
HEADER_FIELDS: Final = 100
PARAMETERS: Final = 50
PIPELINED: Final = 16
"""Requests of one connection that wait for the answer to another."""
_FIELD_OVERHEAD: Final = 4
"""Of a header field's line: colon, space and line end."""
_WIRE_BYTES_PER_BODY_BYTE: Final = 8
"""Of a chunked body: a chunk of one byte takes six."""


@dataclass(frozen=True)
class RequestBounds:
    """The bounds of a request that settings say. Bytes and seconds."""

    body_bytes: int
    head_bytes: int
    head_seconds: float
    body_seconds: float
    idle_seconds: float
    write_seconds: float
    connections: int

    @classmethod
    def from_settings(cls, settings: ApiSettings) -> RequestBounds:
        """The bounds of one api process."""
        return cls(
            body_bytes=settings.api_max_body_bytes,
            head_bytes=settings.api_max_head_bytes,
            head_seconds=settings.api_head_seconds,
            body_seconds=settings.api_body_seconds,
            idle_seconds=settings.api_idle_seconds,
            write_seconds=settings.api_write_seconds,
            connections=settings.api_max_connections,
        )

    @property
    def wire_bytes(self) -> int:
        """The largest size of a body as it travels, in bytes: with the chunks' lengths, extensions and trailers."""
        return self.body_bytes * _WIRE_BYTES_PER_BODY_BYTE + self.head_bytes

    def head_too_large(self) -> HeadTooLarge:
        """The problem of a head that passes a bound."""
        return HeadTooLarge(f"the headers may have {self.head_bytes} bytes in at most {HEADER_FIELDS} fields")

    def body_too_large(self) -> BodyTooLarge:
        """The problem of a body that passes AUTOS_API_MAX_BODY_BYTES."""
        return BodyTooLarge(f"a body may have {self.body_bytes} bytes")

    def check_head(self, address: int, query: bytes, headers: Sequence[tuple[bytes, bytes]]) -> None:
        """Check a head that came whole; ``address``: bytes of path and query.

        Raises AddressTooLong, HeadTooLarge, TooManyParameters, or BodyTooLarge for the length that it declares.
        """
        if address > ADDRESS_BYTES:
            raise address_too_long()
        if len(headers) > HEADER_FIELDS or sum(map(field_bytes, headers)) > self.head_bytes:
            raise self.head_too_large()
        if query.count(b"&") >= PARAMETERS:
            raise TooManyParameters(f"a query may have {PARAMETERS} parameters")
        if any(name == b"content-length" and not self.allows_body(value) for name, value in headers):
            raise self.body_too_large()

    def allows_body(self, length: bytes) -> bool:
        """Whether a declared length is within the limit, however many digits it has."""
        digits = length.strip().lstrip(b"0")
        # What is no number is for the parser to refuse.
        return not digits.isdigit() or (len(digits) < 19 and int(digits) <= self.body_bytes)


def address_too_long() -> AddressTooLong:
    """The problem of an address of more than ADDRESS_BYTES."""
    return AddressTooLong(f"path and query together may have {ADDRESS_BYTES} bytes")


def field_bytes(field: tuple[bytes, bytes]) -> int:
    """What a header field counts: its line as it is sent."""
    name, value = field
    return len(name) + len(value) + _FIELD_OVERHEAD
