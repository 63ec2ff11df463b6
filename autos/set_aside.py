"""Events that the broker will never take, for `autos dead`: listed, shown and sent again."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final, TypeVar

from autos.context import fail, setting

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from shared.outbox.inspection import SetAside

OUTBOX: Final = "outbox"
"""What ids of these begin with: outbox/SCHEMA/NUMBER."""

_ID: Final = re.compile(r"outbox/([a-z]+)/(\d{1,18})", re.ASCII)

T = TypeVar("T")


def is_outbox_id(text: str) -> bool:
    """Whether an id names an event of an outbox."""
    return text.startswith(f"{OUTBOX}/")


def all_set_aside(process_number: str | None = None) -> list[SetAside]:
    """Everything that is set aside, oldest first; or what has the case's number as its key."""
    from shared.outbox.inspection import OUTBOXES, set_aside

    def read(connection: Connection) -> list[SetAside]:
        return [one for schema in OUTBOXES for one in set_aside(connection, schema)]

    found = [one for one in _in_transaction(read) if process_number in (None, one.key)]
    return sorted(found, key=lambda one: one.at)


def line(one: SetAside) -> str:
    """One event as `autos dead list` has it."""
    return f"{one.id}  {one.at:%Y-%m-%d %H:%M:%S}Z  {one.key}  {one.topic}  {one.bytes:,} bytes  {one.reason}"


def show(text: str) -> list[str]:
    """One event in lines, without its payload: that is in the table, and may be very long."""
    schema, seq = _parts(text)
    from shared.outbox.inspection import set_aside

    found = _in_transaction(lambda connection: set_aside(connection, schema, seq))
    if not found:
        raise fail(f"there is no {text}", status=2)
    return [line(found[0]), f"type: {found[0].type}", f"payload: {schema}.outbox, seq {seq}"]


def replay(ids: Iterable[str]) -> int:
    """Let the relay publish these again; how many there were. Exits when one is not set aside."""
    from shared.outbox.inspection import replay as publish_again

    wanted = [(text, *_parts(text)) for text in ids]

    def work(connection: Connection) -> int:
        for text, schema, seq in wanted:
            if publish_again(connection, schema, [seq]) == 0:
                raise fail(f"there is no {text}", status=2)
        return len(wanted)

    return _in_transaction(work)


def _parts(text: str) -> tuple[str, int]:
    from shared.outbox.inspection import OUTBOXES

    match = _ID.fullmatch(text)
    if match is None or match[1] not in OUTBOXES:
        raise fail("an id is outbox/SCHEMA/NUMBER, as `autos dead list` shows it", status=2)
    return match[1], int(match[2])


def _in_transaction(work: Callable[[Connection], T]) -> T:
    from shared.db.command_transaction import command_transaction

    with command_transaction(setting("AUTOS_DATABASE_URL", "database_url"), "autos-dead") as connection:
        return work(connection)
