"""The first request for a case of which nothing is stored: what it asks the database, and what it still sees."""

from __future__ import annotations

import asyncio
import re
import uuid

import httpx
import pytest
from sqlalchemy import Engine, func, insert

from services.api.http.provided import parts_of
from services.api.processes.request import unknown_case
from shared.db.deletions import case_deletions
from shared.db.engine import Database
from shared.db.prepared import PreparedCall, plan_once, run_together
from shared.domain.case import Case
from shared.domain.cnj import ProcessNumber
from tests.integration.api.scripted import ApiTools, MakeNumber, ScriptedSource, client_of
from tests.integration.api.test_http import assert_problem
from tests.statements import noted


async def test_a_first_request_does_not_read_what_is_not_there(tools: ApiTools) -> None:
    app, number = tools.make_app(), tools.process_number()
    tools.source.add(number)
    statements = noted(parts_of(app).get(Database).engine)
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


async def test_those_that_ask_at_the_same_moment_share_the_look(tools: ApiTools) -> None:
    app, known, others = tools.make_app(), tools.process_number(), [tools.process_number() for _ in range(20)]
    for number in (known, *others):
        tools.source.add(number)
    async with client_of(app, tools.new_key()) as client:
        job = (await client.get(f"/processes/{known}")).json()["job"]
        statements = noted(parts_of(app).get(Database).engine)
        asked = [known, *others]
        answers = [one.json() for one in await asyncio.gather(*(client.get(f"/processes/{each}") for each in asked))]
    assert [one["process_number"] for one in answers] == asked
    assert answers[0]["job"] == job and all(len(one["documents"]) == 3 for one in answers)
    assert [len(tools.stored.jobs(number)) for number in asked] == [1] * len(asked)
    looks = [one for one in statements if re.match(r"EXECUTE autos_unknown_case", one)]
    # The first one alone, the others together.
    assert 1 <= len(looks) <= 3
    # Lock and look; the case with its job.
    holding = [one for one in statements if "autos_new_case" in one or "autos_lock_case" in one]
    assert len([one for one in holding if "EXECUTE" in one and "PREPARE" not in one]) == 2 * len(others)


def test_each_number_is_looked_up_by_itself(owner: Engine) -> None:
    """The plan is kept while the tables grow, and may not read all that is there."""
    with owner.connect() as connection:
        plan_once(connection.connection)
        # Of 200 numbers, for which all cases would be read, if anything made the server do it.
        look = PreparedCall(unknown_case._LOOK, {"numbers": [str(number) for number in range(200)]})
        run_together(connection, look)
        lines = connection.exec_driver_sql("EXPLAIN EXECUTE autos_unknown_case ('{}')").scalars().all()
    plan = "\n".join(lines)
    assert "hashed" not in plan and "Join" not in plan and "Seq Scan" not in plan
    assert plan.count("Index Cond: (process_number = number.number)") == 3


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
