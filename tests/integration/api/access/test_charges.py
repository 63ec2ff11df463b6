"""Requests that are charged at the same moment: each as if it were alone, by a statement for all of a client's."""

from __future__ import annotations

import asyncio
import itertools
import uuid
from collections.abc import Iterator

import pytest

from services.api.access.charges import RateLimitCharges
from services.api.access.rate_limit import Allowance, Limit, RateLimited
from shared.db.engine import Database
from shared.settings import Rate
from tests.statements import noted
from tests.support import Servers

AT_ONCE = 20


@pytest.fixture
def database(servers: Servers) -> Iterator[Database]:
    made = Database.connect(servers.role_urls["api"], application_name="test-charges", pool_size=2)
    yield made
    made.close()


async def charged(charges: RateLimitCharges, client: str) -> Allowance | RateLimited:
    try:
        return await charges.spend(client)
    except RateLimited as refused:
        return refused


async def test_each_is_charged_as_if_it_were_alone(database: Database) -> None:
    limit = Limit("bulk", Rate(1, 3600.0), 12)
    charges = RateLimitCharges(database, limit)
    few, many = (f"client-{uuid.uuid4().hex}" for _ in range(2))
    asked = [few, *[many] * AT_ONCE, few]
    answers = await asyncio.gather(*(charged(charges, client) for client in asked))
    left = [answer.remaining for answer in answers[1:-1] if isinstance(answer, Allowance)]
    assert left == list(range(11, -1, -1))
    refused = [answer for answer in answers[1:-1] if isinstance(answer, RateLimited)]
    assert len(refused) == AT_ONCE - 12 and all(0 < int(one.headers["Retry-After"]) <= 3600 for one in refused)
    assert [answer.remaining for answer in (answers[0], answers[-1]) if isinstance(answer, Allowance)] == [11, 10]
    # Of one client the later ones see what the earlier ones took, in their moments too.
    taken = [answer for answer in answers[1:-1] if isinstance(answer, Allowance)]
    assert [later.tat - earlier.tat for earlier, later in itertools.pairwise(taken)] == [limit.interval] * 11


async def test_those_that_wait_together_take_one_statement(database: Database) -> None:
    charges = RateLimitCharges(database, Limit("bulk", Rate(1, 3600.0), 100))
    client = f"client-{uuid.uuid4().hex}"
    await charges.spend(client)
    statements = noted(database.engine)
    answers = await asyncio.gather(*(charges.spend(client) for _ in range(AT_ONCE)))
    assert sorted(answer.remaining for answer in answers) == list(range(99 - AT_ONCE, 99))
    assert len(statements) <= 2


async def test_a_client_that_asks_too_much_takes_few_statements(database: Database) -> None:
    charges = RateLimitCharges(database, Limit("bulk", Rate(1, 3600.0), AT_ONCE // 2))
    client = f"client-{uuid.uuid4().hex}"
    await charges.spend(client)
    statements = noted(database.engine)
    answers = await asyncio.gather(*(charged(charges, client) for _ in range(AT_ONCE)))
    assert sum(isinstance(answer, Allowance) for answer in answers) == AT_ONCE // 2 - 1
    # All, refused: what is left, taken: one more, refused. A refusal is three.
    assert len(statements) <= 10
