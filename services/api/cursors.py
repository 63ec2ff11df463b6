"""Cursors of lists: the sort key of the last row shown, as text that clients need not understand."""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime
from typing import Final

from services.api.problems import FieldError, InvalidCursor

_LONGEST: Final = 256


def encode(moment: datetime, identity: str) -> str:
    """A cursor behind the row with this time and id."""
    text = f"{moment.astimezone(UTC).isoformat()}|{identity}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode(cursor: str) -> tuple[datetime, str]:
    """The time and id of a cursor. Raises InvalidCursor."""
    if len(cursor) > _LONGEST:
        raise _invalid()
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        moment, separator, identity = raw.decode("ascii").partition("|")
        parsed = datetime.fromisoformat(moment)
        if not separator or not identity or not identity.isprintable() or parsed.tzinfo is None:
            raise _invalid()
        # Beside the first and last moment that can be told, an offset leads out of the calendar.
        return parsed.astimezone(UTC), identity
    except (binascii.Error, ValueError, OverflowError):
        raise _invalid() from None


def _invalid() -> InvalidCursor:
    return InvalidCursor(errors=[FieldError("query.cursor", "invalid", "use next_cursor of the page before")])
