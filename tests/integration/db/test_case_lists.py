"""The long lists of a case: moved by the migration into rows of their own, and read a part at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from sqlalchemy import Engine, text

from ops.migrations.run import downgrade, upgrade
from shared.db.case_lists import Part, read_movements, read_parties
from shared.db.engine import make_engine
from tests.integration.db.fresh import FreshDatabase, fresh_database
from tests.support import Servers

SIZES = (0, 1, 199, 200, 201, 499, 500, 501, 730)


@pytest.fixture(scope="module")
def before(servers: Servers) -> Iterator[FreshDatabase]:
    """A database as it was before the lists had rows of their own, with cases of several sizes."""
    with fresh_database(servers, migrated=False) as database:
        upgrade(database.owner_url, "0005")
        engine = make_engine(database.owner_url, application_name="test", pool_size=1)
        with engine.begin() as connection:
            for size in SIZES:
                connection.execute(
                    text(
                        "INSERT INTO catalog.processes (process_number, subjects, parties, movements, fetched_at)"
                        " VALUES (:number, '[]', CAST(:parties AS jsonb), CAST(:movements AS jsonb), now())"
                    ),
                    {
                        "number": str(size),
                        "parties": orjson.dumps(items(size)).decode(),
                        "movements": orjson.dumps(items(size)[::-1]).decode(),
                    },
                )
        engine.dispose()
        yield database


def items(count: int) -> list[dict[str, Any]]:
    """In the order of their numbers."""
    return [{"code": str(number)} for number in range(count)]


def everything(engine: Engine, number: str, limit: int) -> tuple[list[Any], list[Any]]:
    """All movements and all parties, a part at a time."""
    moved, named = [], []
    with engine.connect() as connection:
        below: int | None = None
        after: int | None = None
        while (part := _known(read_movements(connection, number, below=below, limit=limit))).items:
            moved += [item for _, item in part.items]
            below = part.items[-1][0]
            assert part.more == (len(moved) < part.total)
        while (part := _known(read_parties(connection, number, after=after, limit=limit))).items:
            named += [item for _, item in part.items]
            after = part.items[-1][0]
            assert part.more == (len(named) < part.total)
    return moved, named


def _known(part: Part | None) -> Part:
    assert part is not None
    return part


def test_what_was_stored_before_is_read_as_what_is_stored_now(before: FreshDatabase) -> None:
    upgrade(before.owner_url)
    engine = make_engine(before.owner_url, application_name="test", pool_size=1)
    for size in SIZES:
        for limit in (1000, 130):
            moved, named = everything(engine, str(size), limit)
            assert moved == items(size)[::-1]
            assert named == items(size)
    with engine.connect() as connection:
        shown = connection.execute(text("SELECT process_number, movements, parties FROM catalog.processes")).all()
        assert all(len(row.movements) == min(200, int(row.process_number)) for row in shown)
        assert all(len(row.parties) == min(500, int(row.process_number)) for row in shown)
        assert read_movements(connection, "unknown", below=None, limit=1) is None
    engine.dispose()
    downgrade(before.owner_url, "0005")
    with make_engine(before.owner_url, application_name="test", pool_size=1).connect() as connection:
        for row in connection.execute(text("SELECT process_number, movements, parties FROM catalog.processes")):
            size = int(row.process_number)
            assert (row.movements, row.parties) == (items(size)[::-1], items(size))
        connection.engine.dispose()
