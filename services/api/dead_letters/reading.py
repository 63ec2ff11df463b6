"""Reads the letters of each place: of Kafka's in a thread that may block, of the database's in a transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

from sqlalchemy import Connection

from services.api.dead_letters.places import OUTBOX_TOPICS, Letter, Place, Stretch
from services.api.dead_letters.views import of_letter, of_set_aside
from services.api.settings import ApiSettings
from shared.dead_letters.letters import PROJECTION, DeadLetter
from shared.dead_letters.newest import newest_letters
from shared.dead_letters.reading import newest_of_projection, read_dead, read_projection
from shared.events.topics import DEAD_TOPICS
from shared.outbox.inspection import newest_set_aside

_SECONDS: Final = 8.0
"""An answer waits so long for the broker."""


class DeadTopics:
    """The dead topics as this service may read them, by one reader at a time: a burst is no burden to the broker."""

    def __init__(self, settings: ApiSettings) -> None:
        self._servers = settings.kafka_bootstrap_servers
        self._config = settings.kafka_config
        self._turn = asyncio.Lock()

    async def stretches(self, topic: str | None, ends: Mapping[Place, int], most: int) -> dict[Place, Stretch]:
        """The newest of every partition, or of those of one topic. Raises InfrastructureAway."""
        topics = [name for name in DEAD_TOPICS if topic in (None, name)]
        if not topics:
            return {}
        async with self._turn:
            windows = await asyncio.to_thread(
                lambda: newest_letters(
                    self._servers, topics, ends, most, of_letter, config=self._config, seconds=_SECONDS
                )
            )
        return {
            place: Stretch(
                [letter for _, letter in window.letters],
                window.end,
                window.start if window.start > window.low else None,
            )
            for place, window in windows.items()
        }

    async def one(self, place: Place, offset: int) -> DeadLetter | None:
        """The letter at an offset, None when there is none. Raises InfrastructureAway."""
        topic, partition = place
        async with self._turn:
            found = await asyncio.to_thread(
                lambda: list(read_dead(self._servers, topic, config=self._config, partition=partition, offset=offset))
            )
        return found[0] if found else None


def of_database(
    connection: Connection, topic: str | None, ends: Mapping[Place, int], most: int
) -> dict[Place, Stretch]:
    """The newest of the projection's table and of each outbox, or of the one."""
    found: dict[Place, list[Letter]] = {}
    for name in (PROJECTION, *OUTBOX_TOPICS):
        if topic not in (None, name):
            continue
        before = ends.get((name, 0))
        if name == PROJECTION:
            letters = newest_of_projection(connection, before=before, most=most)
            found[name, 0] = [of_letter(letter) for letter in letters]
        else:
            schema = name.partition("/")[2]
            events = newest_set_aside(connection, schema, before=before, most=most)
            found[name, 0] = [of_set_aside(event) for event in events]
    return {place: _stretch(letters, ends.get(place), most) for place, letters in found.items()}


def _stretch(letters: list[Letter], end: int | None, most: int) -> Stretch:
    first = letters[0].number + 1 if letters else 0
    return Stretch(letters, first if end is None else end, letters[-1].number if len(letters) == most else None)


def of_projection(connection: Connection, row: int) -> DeadLetter | None:
    """The row of the projection's table, None when there is none."""
    return next(iter(list(read_projection(connection, row=row))), None)
