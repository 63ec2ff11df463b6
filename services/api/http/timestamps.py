"""Moments in an address: a date, or a date and time."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Annotated

from fastapi import Query
from pydantic import BeforeValidator


def timestamp_of(value: object) -> object:
    """The moment of a date, or of a date and time, in UTC: PostgreSQL takes no offset of 16 hours or more.

    A date begins at midnight UTC. Raises ValueError, also for numbers, which would count as seconds since 1970.
    """
    if not isinstance(value, str) or not re.match(r"\d{4}-\d\d-\d\d", value):
        raise ValueError("use a date as in 2024-05-31, or a date and time as in 2024-05-31T10:00:00Z")
    try:
        moment = datetime.fromisoformat(value)
        return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    except ValueError:
        if len(value) == len("2024-05-31"):
            return value  # which the framework refuses, and says why
        raise
    except OverflowError:
        raise ValueError("this time is outside of the calendar") from None


Since = Annotated[
    datetime | date | None,
    BeforeValidator(timestamp_of),
    Query(description="Only those filed then or later; a date begins at midnight UTC"),
]
"""The beginning of what is wanted; always a datetime in UTC once it is checked."""
