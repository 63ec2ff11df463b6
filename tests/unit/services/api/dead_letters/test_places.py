"""A list over all places of dead letters: newest first, and by pages nothing twice and nothing missed."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest

from services.api.dead_letters.places import Letter, Place, Stretch, decode, encode, page_of, place_of
from services.api.http.problems import InvalidCursor

BEGIN = datetime(2026, 3, 2, tzinfo=UTC)
PLACES: tuple[Place, ...] = (
    ("document.dead", 0),
    ("document.dead", 2),
    ("progress.dead_letters", 0),
    ("outbox/delivery", 0),
)


def letter(number: int, minutes: int) -> Letter:
    return Letter(number, BEGIN + timedelta(minutes=minutes), {"number": number})


def stretches(store: dict[Place, list[Letter]], ends: dict[Place, int], most: int) -> dict[Place, Stretch]:
    """What each place answers: its newest letters before the number of the cursor."""
    found = {}
    for place, letters in store.items():
        end = ends.get(place, letters[-1].number + 1 if letters else 0)
        before = [one for one in reversed(letters) if one.number < end]
        shown = before[:most]
        found[place] = Stretch(shown, end, shown[-1].number if len(before) > most else None)
    return found


@pytest.mark.parametrize("limit", [1, 2, 7, 100])
def test_pages_have_every_letter_once_and_in_order(limit: int) -> None:
    chance = random.Random(limit)
    store = {
        place: [letter(number, number * 7 + index) for number in sorted(chance.sample(range(1, 60), 20))]
        for index, place in enumerate(PLACES)
    }
    store["process.dead", 0] = []
    everything = {(place, one.number) for place, letters in store.items() for one in letters}
    seen: list[tuple[datetime, int]] = []
    ends: dict[Place, int] = {}
    while True:
        shown, cursor = page_of(stretches(store, ends, limit), limit)
        seen += [(one.at, one.number) for one in shown]
        # What is written meanwhile is of no page any more.
        for letters in store.values():
            letters.append(letter(1000 + len(seen) + len(letters), 100_000))
        if cursor is None:
            break
        ends = decode(cursor)
    assert len(seen) == len(everything)
    assert seen == sorted(seen, key=lambda one: one[0], reverse=True)


def test_what_is_no_cursor_is_refused() -> None:
    good = encode({("document.dead", 0): 5})
    assert decode(good) == {("document.dead", 0): 5}
    for bad in ("", "x", "ä", good + "A", "OTkuMD01", "MC4wPS01", "A" * 5_000):
        with pytest.raises(InvalidCursor):
            decode(bad)


@pytest.mark.parametrize(
    ("letter_id", "found"),
    [
        ("document.dead/2/17", (("document.dead", 2), 17)),
        ("progress.dead_letters/0/3", (("progress.dead_letters", 0), 3)),
        ("outbox/delivery/9", (("outbox/delivery", 0), 9)),
        ("outbox/source/9", None),
        ("outbox/delivery/0/9", None),
        ("document.requested/2/17", None),
        ("document.dead/17", None),
        ("document.dead/2/-1", None),
        ("document.dead/2/1٣", None),
        ("document.dead/2/" + "9" * 30, None),
        ("document.dead/02/17", None),
        ("document.dead/2/017", None),
        ("outbox/delivery/09", None),
        ("document.dead/0/0", (("document.dead", 0), 0)),
        ("", None),
    ],
)
def test_an_id_names_a_place_and_a_number(letter_id: str, found: object) -> None:
    assert place_of(letter_id) == found
