"""What each request to the source says of us: the user agent, and header fields that the operator adds.

They go to the source alone, with its token: never to another origin, and not to the token endpoint, which needs none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Final

MAX_FIELDS: Final = 32
MAX_NAME: Final = 100
"""Characters."""
MAX_VALUE: Final = 4096
"""Characters."""
MAX_TOTAL: Final = 16384
"""Characters of names and values together; common servers take little more."""

_NAME: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
"""RFC 9110, section 5.1."""
_RESERVED: Final = frozenset(
    {
        "accept-encoding",
        "authorization",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "expect",
        "host",
        "http2-settings",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "range",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""What the client itself sends, or what would change where a message ends, or how the answer must be read."""

Fields = tuple[tuple[str, str], ...]


def default_user_agent() -> str:
    """Who asks: the product and its version, as RFC 9110, section 10.1.5, writes them."""
    try:
        number = version("autos")
    except PackageNotFoundError:
        number = "0"
    return f"Autos/{number} (documents of court cases; not a browser)"


def checked_value(value: str) -> str:
    """``value`` without space around it. Raises ValueError for what cannot stand in a header field."""
    value = value.strip(" ")
    if not value or len(value) > MAX_VALUE:
        raise ValueError(f"a header's value must have 1 to {MAX_VALUE} characters")
    if not all(" " <= char <= "~" for char in value):
        raise ValueError("a header's value must be visible ASCII characters and spaces, without line breaks")
    return value


def checked_fields(fields: Mapping[str, str]) -> Fields:
    """The fields with names in lower case. Raises ValueError, which names a field and never shows a value."""
    if len(fields) > MAX_FIELDS:
        raise ValueError(f"at most {MAX_FIELDS} headers can be set")
    checked: dict[str, str] = {}
    for name, value in fields.items():
        lower = name.lower()
        if len(name) > MAX_NAME or _NAME.fullmatch(name) is None:
            raise ValueError("a header's name must be letters, digits and hyphens")
        if lower in _RESERVED or lower.startswith("if-"):
            raise ValueError(f"{lower} cannot be set: Autos sends it itself, or must not send it")
        if lower in checked:
            raise ValueError(f"{lower} is set twice")
        try:
            checked[lower] = checked_value(value)
        except ValueError as error:
            raise ValueError(f"{lower}: {error}") from None
    if sum(len(name) + len(value) for name, value in checked.items()) > MAX_TOTAL:
        raise ValueError(f"the headers together must have at most {MAX_TOTAL} characters")
    return tuple(checked.items())


def with_fields(ours: Fields, user_agent: str, added: Fields) -> Fields:
    """What a request sends but for its token: ``ours`` and the user agent, unless ``added`` has its own."""
    fields = {**dict(ours), "user-agent": user_agent, **dict(added)}
    return tuple(fields.items())
