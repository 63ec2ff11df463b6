"""Dead letters: a record as it came, with what was wrong with it in its headers.

Key, value and headers are the record's own; the names of our headers begin with ``autos_``. When the topic refuses the
letter for its size it is written again without the value, and then without the record's headers. An operator reads and
replays dead letters on the page or with ``autos dead`` (shared/dead_letters).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from shared.errors import PoisonRecord
from shared.kafka.failures import RecordRefused
from shared.records import OutgoingRecord, Record

ERROR: Final = "autos_error"
"""The reason: a PoisonRecord's code, ``record_refused`` or ``handler_error``."""
ERROR_DETAIL: Final = "autos_error_detail"
"""A PoisonRecord's detail (names of fields, never their values), or the class of the exception."""
ORIGIN: Final = "autos_origin"
"""``topic/partition/offset`` of the record as it was read."""
VALUE_LEFT_OUT: Final = "autos_value_left_out"
"""The value was too large to be written again: it is found at the origin."""

HANDLER_ERROR: Final = "handler_error"
RECORD_REFUSED: Final = "record_refused"
"""The broker refuses for good what follows from the record: too large, or against its policy."""

_KEY_BYTES: Final = 1_000
_DETAIL_BYTES: Final = 500


def reason_of(error: Exception) -> str:
    """The stable code of what went wrong."""
    if isinstance(error, PoisonRecord):
        return error.reason
    return RECORD_REFUSED if isinstance(error, RecordRefused) else HANDLER_ERROR


def to_topic(topic: str) -> Callable[[Record, Exception], OutgoingRecord]:
    """Return what makes dead letters for ``topic``.

    They have key, value and headers as they came, and the ``autos_*`` headers.
    """

    def letter(record: Record, error: Exception) -> OutgoingRecord:
        detail = error.detail if isinstance(error, PoisonRecord) else type(error).__name__
        return OutgoingRecord(
            topic=topic,
            key=record.key or b"",
            value=record.value,
            headers={
                **record.headers,
                ERROR: reason_of(error).encode(),
                ERROR_DETAIL: detail.encode("utf-8", "replace")[:_DETAIL_BYTES],
                ORIGIN: f"{record.topic}/{record.partition}/{record.offset}".encode(),
            },
        )

    return letter


def without_value(letter: OutgoingRecord) -> OutgoingRecord:
    """The same dead letter without its value, for when the broker refuses its size."""
    return replace(letter, value=None, headers={**letter.headers, VALUE_LEFT_OUT: b"true"})


def bare(letter: OutgoingRecord) -> OutgoingRecord:
    """Only what we say about the record, for when its key or its headers are what is too large."""
    ours = {name: value for name, value in letter.headers.items() if name in (ERROR, ERROR_DETAIL, ORIGIN)}
    return OutgoingRecord(letter.topic, letter.key[:_KEY_BYTES], None, {**ours, VALUE_LEFT_OUT: b"true"})


def is_bare(letter: OutgoingRecord) -> bool:
    """Whether nothing more can be left out."""
    return letter == bare(letter)
