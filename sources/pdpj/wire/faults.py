"""What goes wrong on the wire, as errors of our own tree."""

from __future__ import annotations

from typing import Final

import httpx
from pyreqwest.exceptions import (
    ConnectError,
    DecodeError,
    NetworkError,
    PyreqwestError,
    RequestTimeoutError,
)

from sources.errors import MalformedAnswer, ShortBody, SourceError, SourceTimeout, SourceUnavailable

WIRE_ERRORS: Final = (TimeoutError, httpx.HTTPError, PyreqwestError)
"""What an exchange raises: our own time-outs, and the exceptions of the two HTTP libraries."""

_MALFORMED: Final = (" parsed", "too large")
"""How hyper's parser ends what it says of a head: "invalid content-length parsed", "message head is too large"."""


def translated(error: TimeoutError | httpx.HTTPError | PyreqwestError) -> SourceError:
    """The library reads ahead, so a body that breaks early can fail the sending: the causes tell, not the place."""
    if isinstance(error, TimeoutError):
        return SourceTimeout()
    told = _causes(error.__cause__ if isinstance(error, httpx.HTTPError) else error)
    if isinstance(error, httpx.TimeoutException | RequestTimeoutError) or "timed out" in told:
        return SourceTimeout()
    if isinstance(error, httpx.ConnectError | ConnectError):
        return SourceUnavailable("the source cannot be reached")
    if "reset" in told or "broken pipe" in told:
        return SourceUnavailable("the source broke the connection")
    if "sendrequest" in told:
        # No head of an answer came; where one came and is no HTTP, the library's parser says what of it is not.
        return (
            MalformedAnswer()
            if any(words in told for words in _MALFORMED)
            else SourceUnavailable("the source broke the connection")
        )
    if isinstance(error, httpx.DecodingError | DecodeError) or "body" in told:
        return ShortBody()
    if isinstance(error, httpx.NetworkError | NetworkError):
        return SourceUnavailable("the source broke the connection")
    return SourceUnavailable("the exchange with the source failed")


def _causes(error: BaseException | None) -> str:
    """What the libraries below say, in lower case; only looked at, never shown."""
    details = getattr(error, "details", None)
    causes = details.get("causes") if isinstance(details, dict) else None
    return " ".join(str(cause.get("message", "")) for cause in causes or ()).lower()
