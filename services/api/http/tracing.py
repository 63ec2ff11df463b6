"""W3C Trace Context and request ids: what a client sends is used where it is valid (pure functions)."""

from __future__ import annotations

import random
import re
import uuid
from typing import Final

_TRACEPARENT: Final = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")


def traceparent(received: str | None) -> str:
    """The trace context of this hop: the caller's trace with a span of our own, or a new trace.

    W3C Trace Context, sections 3.2.2 and 4.3: an invalid header is as if it were not there.
    """
    match = _TRACEPARENT.fullmatch(received.strip()) if received else None
    span = f"{_random_bits(64):016x}"
    if match is None or not _usable(match):
        return f"00-{_random_bits(128):032x}-{span}-01"
    return f"00-{match[2]}-{span}-{match[4]}"


def callers_span(received: str | None) -> str | None:
    """The span that the caller names, as it stands in version 00 of the header; None where it names none."""
    match = _TRACEPARENT.fullmatch(received.strip()) if received else None
    return f"00-{match[2]}-{match[3]}-{match[4]}" if match is not None and _usable(match) else None


def _usable(match: re.Match[str]) -> bool:
    version, trace, parent, _, rest = match.groups()
    if version == "ff" or (version == "00" and rest):
        return False
    return set(trace) != {"0"} and set(parent) != {"0"}


def request_id(received: str | None) -> str:
    """The caller's ``X-Request-ID`` when it can be logged and sent back as it is, else a new one."""
    if received and _REQUEST_ID.fullmatch(received):
        return received
    return str(uuid.UUID(int=_random_bits(128), version=4))


def _random_bits(count: int) -> int:
    """For names, not for secrets: asking the system each time lets go of the interpreter, three times a request."""
    return random.getrandbits(count) or 1
