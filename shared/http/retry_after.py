"""The Retry-After header (RFC 9110, section 10.2.3): whole seconds, or an HTTP date in any of its three forms."""

from __future__ import annotations

import email.utils
import re
from datetime import UTC, datetime
from typing import Final

_SECONDS: Final = re.compile(r"[0-9]{1,12}")
_FRACTIONS: Final = re.compile(r"[0-9]{1,12}(\.[0-9]{1,9})?")
_ASCTIME: Final = "%a %b %d %H:%M:%S %Y"
_RFC850: Final = "%A, %d-%b-%y %H:%M:%S GMT"
_LONGEST_DATE: Final = 64


def parse_retry_after(value: str | None, now: datetime | None, *, fractions: bool = False) -> float | None:
    """Seconds from ``now`` that the header asks for, never negative; None when it is missing or makes no sense.

    A date makes no sense without a ``now``. ``fractions`` takes seconds with a decimal point too, which some gateways
    send.
    """
    if value is None:
        return None
    text = value.strip()
    if (_FRACTIONS if fractions else _SECONDS).fullmatch(text):
        return float(text)
    moment = http_date(text) if now is not None else None
    return None if moment is None or now is None else max(0.0, (moment - now).total_seconds())


def http_date(text: str) -> datetime | None:
    """An HTTP date (RFC 9110, section 5.6.7), with its zone; without one it is UTC. None when it is none."""
    if len(text) > _LONGEST_DATE:
        return None
    for form in (_ASCTIME, _RFC850):
        try:
            return datetime.strptime(text, form).replace(tzinfo=UTC)
        except ValueError:
            continue
    try:
        found = email.utils.parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found
