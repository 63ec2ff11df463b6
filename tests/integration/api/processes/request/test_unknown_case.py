"""The first request for a case of which nothing is stored: what it asks the database, and what it still sees."""

from __future__ import annotations

import re
import uuid

import httpx
import pytest
from sqlalchemy import Engine, event, func, insert

from services.api.http.provided import parts_of
from shared.db.deletions import case_deletions
from shared.db.engine import Database
from shared.domain.case import Case
from shared.domain.cnj import ProcessNumber
from tests.integration.api.scripted import ApiTools, MakeNumber, ScriptedSource, client_of
from tests.integration.api.test_http import assert_problem


async def test_a_first_request_does_not_read_what_is_not_there(tools: ApiTools) -> None:
    app, number = tools.make_app(), tools.process_number()
    tools.source.add(number)
    statements: list[str] = []
    event.listen(
        parts_of(app).get(Database).engine, "before_cursor_execute", lambda *given: statements.append(given[2])
    )
    async with client_of(app, tools.new_key()) as client:
        first = await client.get(f"/processes/{number}")
        assert first.status_code == 200
        ran = [name for statement in statements for name in re.findall(r"EXECUTE (autos_\w+_(?:case|job))", statement)]
        assert ran == [
            "autos_unknown_case",
            "autos_lock_case",
            "autos_unknown_case",
            "autos_new_case",
            "autos_start_job",
        ]
        statements.clear()
        assert (await client.get(f"/processes/{number}")).json()["job"] == first.json()["job"]
        assert any("EXECUTE autos_known_case" in statement for statement in statements)


async def test_what_happened_while_the_source_was_read_is_seen(
    api: httpx.AsyncClient,
    owner: Engine,
    source: ScriptedSource,
    process_number: MakeNumber,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    number = process_number()
    source.add(number)
    order = {"deletion_id": str(uuid.uuid4()), "process_number": number, "case_digest": "0" * 64, "reason": "request"}
    read = source.fetch_case

    async def fetch_case(asked: ProcessNumber) -> Case:
        with owner.begin() as connection:
            connection.execute(insert(case_deletions).values(**order, requested_at=func.clock_timestamp()))
        return await read(asked)

    monkeypatch.setattr(source, "fetch_case", fetch_case)
    try:
        assert_problem(await api.get(f"/processes/{number}"), 409, "case_being_deleted")
    finally:
        with owner.begin() as connection:
            connection.execute(case_deletions.delete().where(case_deletions.c.process_number == number))
