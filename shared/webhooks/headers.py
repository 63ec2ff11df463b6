"""The headers that a client wants sent to an endpoint: which are taken, and how they are kept.

They are for the receiver's own authorization. A client cannot set what is ours or the connection's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import orjson

from shared.webhooks.sealing import SealingKeys

MOST_HEADERS: Final = 10
NAME_LENGTH: Final = 100
VALUE_LENGTH: Final = 2_048
ALL_BYTES: Final = 8 * 1024
"""Of all names and values together: servers refuse heads of more than 8 to 16 KiB."""
# RFC 9110, section 5.6.2.
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
# Visible ASCII, with spaces and tabs between (RFC 9110, section 5.5); nothing that ends a line.
_VALUE: Final = re.compile(r"[!-~](?:[ \t!-~]*[!-~])?")
_FORBIDDEN: Final = frozenset(
    {
        # Of the connection (RFC 9110, section 7.6.1) and of the message's framing.
        *("connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"),
        *("content-length", "expect", "host", "http2-settings"),
        # Ours: the body is JSON as it is, the answer must not be compressed.
        *("accept", "accept-encoding", "content-encoding", "content-type", "user-agent"),
    }
)
_FORBIDDEN_STARTS: Final = ("proxy-", "webhook-", "sec-")


class HeaderRefused(ValueError):
    """A header is not taken. ``code`` is stable; ``detail`` repeats no value."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


def check_headers(headers: Mapping[str, str]) -> None:
    """Check what a client gives; the bounds are MOST_HEADERS, NAME_LENGTH, VALUE_LENGTH and ALL_BYTES.

    Raises HeaderRefused with the code too_many_headers, invalid_header, header_not_allowed or headers_too_large.
    """
    if len(headers) > MOST_HEADERS:
        raise HeaderRefused("too_many_headers", f"at most {MOST_HEADERS} headers")
    names = [name.lower() for name in headers]
    if len(set(names)) < len(names):
        raise HeaderRefused("invalid_header", "a name is there twice; upper and lower case are the same")
    for name, value in headers.items():
        _check(name, value)
    if sum(len(name) + len(value) for name, value in headers.items()) > ALL_BYTES:
        raise HeaderRefused("headers_too_large", f"names and values together have at most {ALL_BYTES} bytes")


def _check(name: str, value: str) -> None:
    if len(name) > NAME_LENGTH or _TOKEN.fullmatch(name) is None:
        raise HeaderRefused("invalid_header", "a header's name has letters, digits and dashes, at most 100")
    if name.lower() in _FORBIDDEN or name.lower().startswith(_FORBIDDEN_STARTS):
        raise HeaderRefused("header_not_allowed", f"the header {name} cannot be set")
    if len(value) > VALUE_LENGTH or _VALUE.fullmatch(value) is None:
        detail = f"the value of {name} is not 1 to {VALUE_LENGTH} visible ASCII characters, with spaces between"
        raise HeaderRefused("invalid_header", detail)


def seal_headers(keys: SealingKeys, headers: Mapping[str, str], endpoint_id: str) -> bytes | None:
    """The headers of an endpoint as they are kept; None for none. Raises IndexError without a key."""
    return keys.seal(orjson.dumps(dict(headers)), endpoint_id) if headers else None


def open_headers(keys: SealingKeys, sealed: bytes | None, endpoint_id: str) -> list[tuple[str, str]]:
    """The headers to send, in the order in which they were given. Raises NotOpened when no key opens them."""
    if sealed is None:
        return []
    opened: dict[str, str] = orjson.loads(keys.open(bytes(sealed), endpoint_id))
    return list(opened.items())
