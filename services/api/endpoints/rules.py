"""What a client may say of an endpoint. Pure; the URL has rules of its own (services/api/webhooks/urls.py)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from services.api.http.problems import FieldError, Problem
from shared.settings import Rate, parse_rate
from shared.webhooks.headers import HeaderRefused, check_headers
from shared.webhooks.registry import DEFAULT, SUBSCRIBABLE

MOST_PER_PERIOD: Final = 10_000
_PERIODS: Final = (1.0, 60.0)


class InvalidEndpoint(Problem):
    """Something that is said of an endpoint is not allowed; ``errors[0].code`` says what."""

    status, code, title = 422, "invalid_endpoint", "The endpoint is not valid"


class TooManyEndpoints(Problem):
    """The client has registered as many endpoints as one client may."""

    status, code, title = 409, "too_many_endpoints", "Too many endpoints"


class SealingKeyMissing(Problem):
    """This installation has no key to keep headers with (AUTOS_WEBHOOK_SEALING_KEYS): register without headers."""

    status, code, title = 501, "sealing_key_missing", "This installation cannot keep headers"


def _refused(field: str, code: str, detail: str) -> InvalidEndpoint:
    return InvalidEndpoint(detail, errors=[FieldError(f"body.{field}", code, detail)])


def checked_events(events: Sequence[str] | None) -> list[str]:
    """The types, each once. Raises InvalidEndpoint: no_events, unknown_event_type."""
    if events is None:
        return list(DEFAULT)
    if not events:
        raise _refused("events", "no_events", f"name at least one of {', '.join(SUBSCRIBABLE)}")
    if any(name not in SUBSCRIBABLE for name in events):
        raise _refused("events", "unknown_event_type", f"there are: {', '.join(SUBSCRIBABLE)}")
    return list(dict.fromkeys(events))


def checked_rate(text: str | None) -> str | None:
    """The rate as it was written. Raises InvalidEndpoint: invalid_rate."""
    if text is None:
        return None
    try:
        rate = parse_rate(text)
    except ValueError:
        rate = None
    if not isinstance(rate, Rate) or rate.period not in _PERIODS or rate.limit > MOST_PER_PERIOD:
        raise _refused("rate", "invalid_rate", "a rate is written like 10/second or 60/minute, at most 10,000")
    return text.strip()


def checked_description(text: str | None) -> str | None:
    """The description. Raises InvalidEndpoint: invalid_description."""
    if text is not None and any(character < " " or "\x7f" <= character <= "\x9f" for character in text):
        raise _refused("description", "invalid_description", "a description has no control characters")
    if text is not None and any("\ud800" <= character <= "\udfff" for character in text):
        raise _refused("description", "invalid_description", "a description has no half of a surrogate pair")
    return text


def checked_header_names(headers: Mapping[str, str]) -> list[str]:
    """The names of the headers, in their order. Raises InvalidEndpoint with the codes of HeaderRefused."""
    try:
        check_headers(headers)
    except HeaderRefused as refused:
        raise _refused("headers", refused.code, refused.detail) from None
    return list(headers)
