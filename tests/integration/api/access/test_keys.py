"""What keys cost that do not exist, and that those which do are served meanwhile."""

from __future__ import annotations

import asyncio

from ops import clients
from services.api.access import keys as auth
from services.api.http.problems import Unauthorized
from services.api.http.provided import parts_of
from shared.db.engine import Database
from shared.secrets.keys import SecretKeys
from tests.integration.api.scripted import MakeApp, MakeKey, client_of
from tests.statements import noted
from tests.support import Servers


async def test_keys_that_do_not_exist_cost_no_statement_each_and_crowd_out_nobody(
    servers: Servers, make_app: MakeApp, new_key: MakeKey
) -> None:
    parts = parts_of(make_app())
    good = new_key()
    moment = 0.0
    keys = auth.ApiKeys(parts.get(Database), parts.clock, SecretKeys(), lambda: moment)
    statements = noted(parts.get(Database).engine)

    async def is_good(key: str) -> bool:
        try:
            await keys.identify(key)
        except Unauthorized:
            return False
        return True

    assert await is_good(good)
    assert len(statements) == 2
    # Different ones and the same one, one after the other and at once.
    tried = [f"autos_sk_{index}" for index in range(2000)] + ["autos_sk_same"] * 100
    for key in tried:
        assert not await is_good(key)
    assert not any(await asyncio.gather(*map(is_good, tried)))
    assert await is_good(good)
    assert len(statements) <= 1 + auth.LISTS_AT_ONCE
    # A new key works within a second, and one that was revoked ends; both while others are tried.
    other = new_key()
    moment = auth.LIST_SECONDS
    before = len(statements)
    found = await asyncio.gather(*map(is_good, tried), is_good(other), is_good(good))
    assert found[-2:] == [True, True] and not any(found[:-2])
    assert len(statements) == before + 2
    [known] = [one for one in clients.list_keys(servers.owner_url) if other.startswith(one.prefix)]
    clients.revoke_key(servers.owner_url, known.key_id)
    moment += auth.CACHE_SECONDS
    assert not await is_good(other) and not await is_good(other)
    # With a second for the request itself that is the five within which a revoked key is refused everywhere.
    assert auth.CACHE_SECONDS + 1 <= 5
    # Nothing is kept of what was only tried.
    assert keys.remembered == 1


async def test_requests_at_once_of_a_key_that_was_quiet_ask_once(make_app: MakeApp, new_key: MakeKey) -> None:
    parts = parts_of(make_app())
    moment = 0.0
    keys = auth.ApiKeys(parts.get(Database), parts.clock, SecretKeys(), lambda: moment)
    callers = await asyncio.gather(*(keys.identify(key) for key in [new_key()] * 20))
    assert len(set(callers)) == 1
    good, moment = new_key(), 2 * auth.CACHE_SECONDS
    await keys.identify(good)
    moment += auth.CACHE_SECONDS
    statements = noted(parts.get(Database).engine)
    assert len(await asyncio.gather(*(keys.identify(good) for _ in range(20)))) == 20
    assert len(statements) == 1


async def test_a_new_key_works_at_once_where_nobody_tries_keys(make_app: MakeApp, new_key: MakeKey) -> None:
    parts = parts_of(make_app())
    keys = auth.ApiKeys(parts.get(Database), parts.clock, SecretKeys())
    for _ in range(3):
        assert (await keys.identify(new_key())).scopes


async def test_a_key_that_may_be_good_is_not_refused_while_the_database_is_away(make_app: MakeApp) -> None:
    app = make_app(database_url="postgresql://nobody@127.0.0.1:9/none")
    async with client_of(app, "autos_sk_any") as client:
        for _ in range(auth.LISTS_AT_ONCE + 2):
            assert (await client.get("/webhooks/secret")).status_code == 503
