"""Times in the forms that the source and its neighbours write them in; each comes out aware, in UTC. Pure.

Seen and expected: ISO 8601 with and without an offset or a ``T``, with any number of fraction digits, with Java's zone
in brackets; ``25/07/2024 17:05:54``; ``20240725170554``; milliseconds (or seconds) since 1970; Java's
``[2024, 7, 25, 17, 5, 54]``. Without an offset a time is São Paulo's; of a repeated hour, the first.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final
from zoneinfo import ZoneInfo

_LONGEST: Final = 80
_DAY_FIRST: Final = re.compile(
    r"([0-9]{1,2})([/.-])([0-9]{1,2})\2([0-9]{4})"
    r"(?:[ T,]+(?:às\s+)?([0-9]{1,2})[:h]([0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]{1,9}))?)?)?"
    r"\s*(Z|[+-][0-9]{2}:?[0-9]{2})?"
)
_COMPACT: Final = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})(?:([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{0,3}))?")
_EPOCH: Final = re.compile(r"-?[0-9]{9,13}(\.[0-9]{1,9})?")
_ZONE_NAME: Final = re.compile(r"\[[A-Za-z_/+-]{1,40}\]$")
_MILLISECONDS_FROM: Final = 10**11
"""As seconds that is the year 5138, as milliseconds 1973."""
_SECONDS_FROM: Final = 10**8


def timestamp(value: Any) -> datetime | None:
    """The time, or None where it is none."""
    try:
        return _read(value)
    except (ValueError, OverflowError, OSError):
        return None


def _read(value: Any) -> datetime | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return _since_1970(float(value))
    if isinstance(value, list):
        return _from_parts(value)
    if not isinstance(value, str) or len(value) > _LONGEST:
        return None
    written = value.strip()
    if written.endswith("]"):
        written = _ZONE_NAME.sub("", written)
    # By far the most: a year of four digits and a dash is in none of the other forms.
    if written[4:5] == "-" and written[:4].isdigit():
        return _utc(datetime.fromisoformat(written))
    if (match := _DAY_FIRST.fullmatch(written)) is not None:
        day, month, year, hour, minute, second = (int(match[group] or 0) for group in (1, 3, 4, 5, 6, 7))
        fraction = int(((match[8] or "") + "000000")[:6])
        offset = datetime.strptime(match[9], "%z").tzinfo if match[9] else None
        return _utc(datetime(year, month, day, hour, minute, second, fraction, offset))
    if (match := _COMPACT.fullmatch(written)) is not None and written[:2] in ("19", "20"):
        year, month, day, hour, minute, second = (int(match[group] or 0) for group in range(1, 7))
        fraction = int(((match[7] or "") + "000000")[:6])
        return _utc(datetime(year, month, day, hour, minute, second, fraction))  # noqa: DTZ001 - see _utc
    if _EPOCH.fullmatch(written):
        return _since_1970(float(written))
    return _utc(datetime.fromisoformat(written))


def _since_1970(number: float) -> datetime | None:
    if abs(number) >= _MILLISECONDS_FROM:
        number /= 1000
    elif abs(number) < _SECONDS_FROM:
        return None
    return datetime.fromtimestamp(number, UTC)


def _from_parts(parts: list[Any]) -> datetime | None:
    """Year to second, then nanoseconds; at least a date."""
    if not 3 <= len(parts) <= 7 or any(isinstance(part, bool) or not isinstance(part, int) for part in parts):
        return None
    nanoseconds = parts[6] if len(parts) == 7 else 0
    year, month, day, hour, minute, second = [*parts[:6], 0, 0, 0][:6]
    return _utc(datetime(year, month, day, hour, minute, second, nanoseconds // 1000))  # noqa: DTZ001 - see _utc


def _utc(at: datetime) -> datetime:
    if at.tzinfo is None:
        at = at.replace(tzinfo=_sao_paulo())
    return at.astimezone(UTC)


@cache
def _sao_paulo() -> ZoneInfo:
    return ZoneInfo("America/Sao_Paulo")
