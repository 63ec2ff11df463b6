"""Where dead letters lie, and a list over all of these places by pages. Pure.

A place is a partition of a dead topic, the projection's table or an outbox. Its letters are numbered (offset, id or
seq), and a page has the newest of all places that lie before the number where the page before has ended in each. So a
page misses nothing and repeats nothing, whatever is written or deleted meanwhile. Between places the times decide.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from services.api.http import cursors
from shared.dead_letters.letters import PROJECTION
from shared.events.topics import DEAD_TOPICS
from shared.outbox.inspection import OUTBOXES

OUTBOX_TOPICS: Final = tuple(f"outbox/{schema}" for schema in OUTBOXES)
TOPICS: Final = (*DEAD_TOPICS, PROJECTION, *OUTBOX_TOPICS)
"""The names of the places, of a dead topic all of its partitions: as `GET /system` counts them."""

Place = tuple[str, int]
"""One of TOPICS, and the partition, 0 where there are none."""

_LONGEST: Final = 4_000
_PART: Final = re.compile(r"(\d{1,2})\.(\d{1,5})=(\d{1,18})", re.ASCII)
_NUMBER: Final = r"(0|[1-9]\d{0,%d})"
"""As it is shown: a number that could be written otherwise would be another letter, and be sent again once more."""
_ID: Final = re.compile(rf"(.+)/{_NUMBER % 17}", re.ASCII)
_PARTITION: Final = re.compile(_NUMBER % 4, re.ASCII)


@dataclass(frozen=True)
class Letter:
    """A letter at its place: its number there, when it was given up, and what is shown of it."""

    number: int
    at: datetime
    view: dict[str, Any]


@dataclass
class Stretch:
    """The newest letters of a place that lie before some number, newest first.

    ``end`` is that number; ``next_end`` is what takes its place when all of ``letters`` have been shown, None when
    nothing older is left then.
    """

    letters: Sequence[Letter]
    end: int
    next_end: int | None


def page_of(stretches: Mapping[Place, Stretch], limit: int) -> tuple[list[Letter], str | None]:
    """The first ``limit`` letters of all places, newest first, and the cursor of the next page, None at the end."""
    shown: list[Letter] = []
    taken = dict.fromkeys(stretches, 0)
    while len(shown) < limit:
        heads = {
            place: stretch.letters[taken[place]]
            for place, stretch in stretches.items()
            if taken[place] < len(stretch.letters)
        }
        if not heads:
            break
        newest = max(heads, key=lambda place: (heads[place].at, place))
        shown.append(heads[newest])
        taken[newest] += 1
    ends: dict[Place, int] = {}
    more = False
    for place, stretch in stretches.items():
        if taken[place] < len(stretch.letters):
            more = True
            ends[place] = stretch.letters[taken[place] - 1].number if taken[place] else stretch.end
        else:
            more = more or stretch.next_end is not None
            ends[place] = stretch.next_end or 0
    return shown, encode(ends) if more else None


def encode(ends: Mapping[Place, int]) -> str:
    """A cursor: up to which number each place has been read."""
    parts = [f"{TOPICS.index(topic)}.{number}={end}" for (topic, number), end in sorted(ends.items())]
    return cursors.packed(",".join(parts))


def decode(cursor: str) -> dict[Place, int]:
    """The numbers of a cursor. Raises InvalidCursor."""
    text = cursors.unpacked(cursor, longest=_LONGEST)
    try:
        return dict(map(_part, text.split(",")))
    except (ValueError, IndexError):
        raise cursors.invalid() from None


def _part(text: str) -> tuple[Place, int]:
    match = _PART.fullmatch(text)
    if match is None:
        raise ValueError
    return (TOPICS[int(match[1])], int(match[2])), int(match[3])


def place_of(letter_id: str) -> tuple[Place, int] | None:
    """The place of a letter's id and its number there; None for what is no id."""
    match = _ID.fullmatch(letter_id)
    if match is None:
        return None
    if match[1] in OUTBOX_TOPICS:
        return (match[1], 0), int(match[2])
    topic, _, partition = match[1].rpartition("/")
    if topic not in TOPICS or topic in OUTBOX_TOPICS or not _PARTITION.fullmatch(partition):
        return None
    return (topic, int(partition)), int(match[2])
