"""Cursors of lists: the sort key of the last row shown, as text that clients need not understand."""

from __future__ import annotations

import base64
import uuid
from datetime import UTC, datetime
from typing import Final

from services.api.http.problems import FieldError, InvalidCursor

_LONGEST: Final = 256
_MOST: Final = 2**31 - 1
_FIELD: Final = "query.cursor"


def encode(moment: datetime, identity: str) -> str:
    """A cursor behind the row with this time and id."""
    return packed(f"{moment.astimezone(UTC).isoformat()}|{identity}")


def decode(cursor: str) -> tuple[datetime, str]:
    """The time and id of a cursor. Raises InvalidCursor."""
    moment, separator, identity = unpacked(cursor).partition("|")
    try:
        parsed = datetime.fromisoformat(moment)
        if not separator or not identity or not identity.isprintable() or parsed.tzinfo is None:
            raise invalid()
        # Near the first and the last moment of the calendar an offset leads out of it.
        return parsed.astimezone(UTC), identity
    except (ValueError, OverflowError):
        raise invalid() from None


def decode_uuid(cursor: str) -> tuple[datetime, str]:
    """As :func:`decode`, of a list whose ids are UUIDs: one of another list is no cursor. Raises InvalidCursor."""
    moment, identity = decode(cursor)
    try:
        return moment, str(uuid.UUID(identity))
    except ValueError:
        raise invalid() from None


def encode_place(kind: str, number: int, identity: str = "") -> str:
    """A cursor behind an item of a case's list: its number in it, and its id where items have one."""
    return packed(f"{kind}|{number}|{identity}")


def decode_place(cursor: str, kind: str, field: str = _FIELD, *, most: int = _MOST) -> tuple[int, str]:
    """The number, at most ``most``, and the id of a cursor of this kind of list. Raises InvalidCursor."""
    text = unpacked(cursor, field)
    try:
        named, number, identity = text.split("|")
        place = int(number)
        if named != kind or not number.isdecimal() or place > most or str(place) != number:
            raise invalid(field)
        return place, str(uuid.UUID(identity)) if identity or kind == "documents" else ""
    except ValueError:
        raise invalid(field) from None


def packed(text: str) -> str:
    """A text as a cursor that can stand in an address: base64url without padding."""
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def unpacked(cursor: str, field: str = _FIELD, *, longest: int = _LONGEST) -> str:
    """The ASCII text in a cursor of at most ``longest`` characters. Raises InvalidCursor."""
    try:
        if len(cursor) > longest:
            raise ValueError
        return base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode("ascii")
    except ValueError:  # binascii.Error and UnicodeDecodeError are kinds of it
        raise invalid(field) from None


def invalid(field: str = _FIELD) -> InvalidCursor:
    """The problem of a cursor that is none, in the parameter ``field``."""
    return InvalidCursor(errors=[FieldError(field, "invalid", "use next_cursor of the page before")])
