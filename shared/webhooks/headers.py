"""The headers that a client wants sent to an endpoint: which are taken, and how they are kept.

They are for the receiver's own authorization. A client cannot set what is ours or the connection's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import orjson

from shared.secrets.keys import SecretKeys
from shared.secrets.owners import endpoint_headers
from shared.webhooks.sealing import SEALED_VERSION, SealingKeys

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


@dataclass(frozen=True)
class HeaderKeys:
    """What headers are kept with: AUTOS_SECRETS_KEY where it is set, else AUTOS_WEBHOOK_SEALING_KEYS, as before.

    What either of them sealed is opened, so an installation can go from the one to the other.
    """

    secrets: SecretKeys = field(default_factory=SecretKeys)
    sealing: SealingKeys = field(default_factory=lambda: SealingKeys(()))

    def __bool__(self) -> bool:
        """Whether there is a key to keep headers with."""
        return bool(self.secrets) or bool(self.sealing)

    def seal(self, headers: Mapping[str, str], endpoint_id: str) -> bytes | None:
        """The headers of an endpoint as they are kept; None for none. Raises IndexError without a key."""
        if not headers:
            return None
        text = orjson.dumps(dict(headers))
        if self.secrets:
            return self.secrets.to_store(text.decode(), endpoint_headers(endpoint_id)).encode()
        return self.sealing.seal(text, endpoint_id)

    def open(self, sealed: bytes | None, endpoint_id: str) -> list[tuple[str, str]]:
        """The headers to send, in the order in which they were given.

        Raises NotOpened when no key of AUTOS_WEBHOOK_SEALING_KEYS opens them, and SecretUnreadable when none of
        AUTOS_SECRETS_KEY does.
        """
        if sealed is None:
            return []
        kept = bytes(sealed)
        if kept[:1] == SEALED_VERSION:
            text = self.sealing.open(kept, endpoint_id)
        else:
            text = self.secrets.from_store(kept.decode("latin-1"), endpoint_headers(endpoint_id)).encode()
        opened: dict[str, str] = orjson.loads(text)
        return list(opened.items())
