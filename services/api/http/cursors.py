"""Cursors of lists: the sort key of the last row shown, as text that clients need not understand."""

from __future__ import annotations

import base64
import binascii
import uuid
from datetime import UTC, datetime
from typing import Final

from services.api.http.problems import FieldError, InvalidCursor

_LONGEST: Final = 256
_MOST: Final = 2**31 - 1


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
        # Near the first and the last moment of the calendar an offset leads out of it.
        return parsed.astimezone(UTC), identity
    except (binascii.Error, ValueError, OverflowError):
        raise _invalid() from None


def encode_place(kind: str, number: int, identity: str = "") -> str:
    """A cursor behind an item of a case's list: its number in it, and its id where items have one."""
    return base64.urlsafe_b64encode(f"{kind}|{number}|{identity}".encode()).decode().rstrip("=")


def decode_place(cursor: str, kind: str, field: str = "query.cursor", *, most: int = _MOST) -> tuple[int, str]:
    """The number, at most ``most``, and the id of a cursor of this kind of list. Raises InvalidCursor."""
    if len(cursor) > _LONGEST:
        raise _invalid(field)
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        named, number, identity = raw.decode("ascii").split("|")
        place = int(number)
        if named != kind or not number.isdecimal() or place > most or str(place) != number:
            raise _invalid(field)
        return place, str(uuid.UUID(identity)) if identity or kind == "documents" else ""
    except ValueError:  # binascii.Error and UnicodeDecodeError are kinds of it
        raise _invalid(field) from None


def _invalid(field: str = "query.cursor") -> InvalidCursor:
    return InvalidCursor(errors=[FieldError(field, "invalid", "use next_cursor of the page before")])
