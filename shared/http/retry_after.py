"""The Retry-After header (RFC 9110, section 10.2.3): whole seconds, or an HTTP date in any of its three forms."""

from __future__ import annotations

import email.utils
import re
from datetime import UTC, datetime
from typing import Final

_SECONDS: Final = re.compile(r"[0-9]{1,12}")
_ASCTIME: Final = "%a %b %d %H:%M:%S %Y"
_RFC850: Final = "%A, %d-%b-%y %H:%M:%S GMT"


def parse_retry_after(value: str | None, now: datetime) -> float | None:
    """Seconds from ``now`` that the header asks for, never negative; None when it is missing or makes no sense."""
    if value is None:
        return None
    text = value.strip()
    if _SECONDS.fullmatch(text):
        return float(text)
    moment = _http_date(text)
    return None if moment is None else max(0.0, (moment - now).total_seconds())


def _http_date(text: str) -> datetime | None:
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
