"""Shows administrators what was given up, and has it sent again: each letter once, whatever is clicked how often."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import Depends
from sqlalchemy import Connection

from services.api.access.caller import Caller
from services.api.dead_letters import rows
from services.api.dead_letters.places import OUTBOX_TOPICS, Letter, decode, page_of, place_of
from services.api.dead_letters.reading import DeadTopics, of_database, of_projection
from services.api.http.problems import DeadLetterNotFound, NotReplayableProblem
from services.api.http.provided import provided
from services.api.outbox import SOURCE, publish
from shared.clock import Clock, rfc3339
from shared.db.engine import Database
from shared.dead_letters.letters import PROJECTION, DeadLetter, NotReplayable, replayed
from shared.events.envelope import deterministic_id
from shared.outbox.inspection import replay as publish_again
from shared.outbox.inspection import set_aside
from shared.records import OutgoingRecord

REPLAYED: Final = "replayed"
ALREADY_REPLAYED: Final = "already_replayed"

_log = logging.getLogger(__name__)

_SendAgain = Callable[[Connection, datetime], None]


@dataclass(frozen=True)
class _Dead:
    """A letter that can be sent again: which it is, and what does it, in the transaction that notes it."""

    at: datetime
    error_code: str
    send: _SendAgain


class DeadLetterService:
    """The dead letters of the whole installation; for keys with ``admin``."""

    def __init__(self, database: Database, topics: DeadTopics, clock: Clock) -> None:
        self._database = database
        self._topics = topics
        self._clock = clock

    async def page(self, topic: str | None, cursor: str | None, limit: int) -> dict[str, Any]:
        """The DeadLetterPage. Raises InvalidCursor, and InfrastructureAway when broker or database is away."""
        ends = {} if cursor is None else decode(cursor)
        found = await self._topics.stretches(topic, ends, limit)

        def read(connection: Connection) -> dict[str, Any]:
            stretches = {**found, **of_database(connection, topic, ends, limit)}
            letters, next_cursor = page_of(stretches, limit)
            known = rows.of_letters(connection, [_identity(letter) for letter in letters])
            views = [{**letter.view, **_replay_view(known.get(_identity(letter)))} for letter in letters]
            return {"dead_letters": views, "next_cursor": next_cursor}

        return await self._database.snapshot(read)

    async def replay(self, letter_id: str, caller: Caller) -> dict[str, Any]:
        """The ReplayView: ``replayed``, or ``already_replayed`` when it was sent again before.

        Raises DeadLetterNotFound, NotReplayableProblem, InfrastructureAway.
        """
        dead = await self._find(letter_id)
        outcome, replay = await self._database.run(
            lambda connection: _send_once(connection, letter_id, dead, caller, self._clock())
        )
        if outcome == REPLAYED and dead is not None:
            _log.info(
                "A dead letter is sent again, an administrator asked for it",
                extra={
                    "letter": letter_id,
                    "reason": dead.error_code,
                    "client_id": caller.client_id,
                    "key_id": caller.key_id,
                },
            )
        return {"id": letter_id, "outcome": outcome, **_replay_view(replay)}

    async def _find(self, letter_id: str) -> _Dead | None:
        """The letter, None for one that is not there (any more). Raises NotReplayableProblem."""
        found = place_of(letter_id)
        if found is None:
            raise DeadLetterNotFound
        place, number = found
        if place[0] in OUTBOX_TOPICS:
            schema = place[0].partition("/")[2]
            return await self._database.run(lambda connection: _of_outbox(connection, schema, number))
        if place[0] == PROJECTION:
            letter = await self._database.run(lambda connection: of_projection(connection, number))
        else:
            letter = await self._topics.one(place, number)
        return None if letter is None else _of_letter(letter, self._clock)


DeadLetters = Annotated[DeadLetterService, Depends(provided(DeadLetterService))]


def _send_once(
    connection: Connection, letter_id: str, dead: _Dead | None, caller: Caller, now: datetime
) -> tuple[str, rows.LetterReplay]:
    if dead is not None and rows.record(connection, (letter_id, dead.at), caller.client_id, caller.key_id, now):
        dead.send(connection, now)
        return REPLAYED, rows.LetterReplay(now, caller.client_id)
    before = rows.last_of(connection, letter_id)
    if before is None:
        raise DeadLetterNotFound
    return ALREADY_REPLAYED, before


def _of_letter(letter: DeadLetter, clock: Clock) -> _Dead:
    # Its id depends on the letter alone, so that whoever reads it twice knows it.
    event_id = deterministic_id("dead-letter.replay", letter.id, rfc3339(letter.at))
    try:
        again: OutgoingRecord = replayed(letter, event_id=event_id, source=SOURCE, clock=clock)
    except NotReplayable:
        detail = f"it is a record that cannot be read or applied ({letter.error_code}): mend what wrote it instead"
        raise NotReplayableProblem(detail) from None
    return _Dead(letter.at, letter.error_code, lambda connection, now: publish(connection, [again], now))


def _of_outbox(connection: Connection, schema: str, seq: int) -> _Dead | None:
    found = set_aside(connection, schema, seq)
    if not found:
        return None

    def send(connection: Connection, _: datetime) -> None:
        if publish_again(connection, schema, [seq]) == 0:
            raise DeadLetterNotFound  # somebody has taken it with the command meanwhile

    return _Dead(found[0].at, found[0].reason, send)


def _identity(letter: Letter) -> rows.Identity:
    return letter.view["id"], letter.at


def _replay_view(replay: rows.LetterReplay | None) -> dict[str, str | None]:
    if replay is None:
        return {"replayed_at": None, "replayed_by": None}
    return {"replayed_at": rfc3339(replay.at), "replayed_by": replay.client_id}
