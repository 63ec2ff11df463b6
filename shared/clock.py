"""Time as a dependency: everything that needs "now" takes a ``Clock``, so that tests can turn it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

EARLIEST: Final = datetime(1900, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(3000, 1, 1, tzinfo=UTC)
"""Between these lies every time that an event can mean; what is outside is a mistake or a trap."""

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The current time, aware, in UTC."""
    return datetime.now(UTC)


def rfc3339(moment: datetime) -> str:
    """RFC 3339 in UTC with ``Z`` and microseconds, as every timestamp that Autos shows or sends."""
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    return moment.isoformat(timespec="microseconds")[:-6] + "Z"


def rfc3339_or_none(moment: datetime | None) -> str | None:
    """The same of a moment that may not have come yet."""
    return rfc3339(moment) if moment is not None else None


def plausible(moment: datetime) -> datetime | None:
    """The moment in UTC; None when it has no time zone or lies outside of EARLIEST and LATEST. Never raises."""
    if moment.tzinfo is None:
        return None
    try:
        moment = moment.astimezone(UTC)
    except (OverflowError, ValueError):
        return None
    return moment if EARLIEST <= moment < LATEST else None


def plausible_ms(milliseconds: int) -> datetime | None:
    """Milliseconds since the epoch as a moment; None when nobody can mean it. Never raises."""
    if not EARLIEST.timestamp() * 1000 <= milliseconds < LATEST.timestamp() * 1000:
        return None
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
