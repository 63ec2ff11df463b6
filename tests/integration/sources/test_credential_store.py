"""Tokens in PostgreSQL: one renewal over all processes, kept before use, written by those only who may."""

from __future__ import annotations

import asyncio
import base64
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
from pydantic import SecretStr
from sqlalchemy import select

from autos.local.pdpj.control import SimulatorControl, TokenSetting
from shared.db.engine import Database, make_engine
from shared.db.errors import DatabaseAway
from shared.db.source import credentials
from shared.domain import cnj
from shared.errors import InfrastructureAway
from shared.secrets.keys import SecretKeys
from sources.errors import CredentialsRefused
from sources.pdpj.auth.credentials import build_credentials
from sources.pdpj.auth.token_store import Credential, PostgresCredentialStore
from sources.pdpj.client import build_source
from sources.pdpj.settings import Api, PdpjSettings
from tests.integration.db.fresh import FreshDatabase, fresh_database
from tests.integration.sources.conftest import pdpj_settings
from tests.support import Servers

NO_KEYS = SecretKeys()
NUMBER = cnj.make(4400, 2024, 8, 26, 100)
FULL = Credential("access", "refresh", datetime(2026, 5, 1, 12, tzinfo=UTC), 7, 2, datetime(2026, 5, 2, tzinfo=UTC))

Connect = Callable[..., PostgresCredentialStore]


@pytest.fixture(scope="module")
def fresh(servers: Servers) -> Iterator[FreshDatabase]:
    with fresh_database(servers) as database:
        yield database


@pytest.fixture
def connect(fresh: FreshDatabase) -> Iterator[Connect]:
    """A store as another process of the service has it: with connections of its own."""
    opened: list[Database] = []

    def connect(
        role: str = "downloader", url: str | None = None, secrets: SecretKeys = NO_KEYS
    ) -> PostgresCredentialStore:
        database = Database.connect(url or fresh.role_urls[role], application_name="test", pool_size=2)
        opened.append(database)
        return PostgresCredentialStore(database, secrets)

    yield connect
    for database in opened:
        database.close()


async def test_what_is_kept_comes_back(connect: Connect) -> None:
    store, other = connect(), connect()

    async def change(kept: Credential) -> Credential:
        assert kept == Credential()
        return FULL

    assert await store.load("one") == Credential()
    assert await store.change("one", change) == FULL
    assert await other.load("one") == FULL
    assert await other.load("two") == Credential()


async def test_tokens_are_encrypted_and_everything_waits_while_one_does_not_open(
    connect: Connect, fresh: FreshDatabase
) -> None:
    old, new = (base64.b64encode(os.urandom(32)).decode() for _ in range(2))

    async def change(kept: Credential) -> Credential:
        return FULL

    async def never(kept: Credential) -> Credential:
        raise AssertionError("a refresh token would be lost")

    # What was stored before there was a key is read with one.
    await connect().change("kept", change)
    assert await connect(secrets=SecretKeys([old])).load("kept") == FULL
    await connect(secrets=SecretKeys([old])).change("kept", change)
    assert await connect("api", secrets=SecretKeys([new, old])).load("kept") == FULL
    engine = make_engine(fresh.owner_url, application_name="test", pool_size=1)
    with engine.connect() as connection:
        row = connection.execute(select(credentials).where(credentials.c.name == "kept")).one()
    engine.dispose()
    assert "access" not in row.access_token and "refresh" not in row.refresh_token
    for keys in (NO_KEYS, SecretKeys([new])):
        store = connect(secrets=keys)
        for tried in (store.load("kept"), store.change("kept", never)):
            with pytest.raises(CredentialsRefused, match="secrets_unreadable"):
                await tried
    assert await connect(secrets=SecretKeys([old])).load("kept") == FULL


async def test_changes_of_one_name_happen_one_after_the_other(connect: Connect) -> None:
    stores = [connect() for _ in range(4)]
    inside = most = 0

    async def change(kept: Credential) -> Credential:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        await asyncio.sleep(0.01)
        inside -= 1
        return Credential(generation=kept.generation + 1)

    await asyncio.gather(*(store.change("counted", change) for store in stores for _ in range(5)))
    assert most == 1
    assert (await stores[0].load("counted")).generation == 20


async def test_a_change_that_fails_keeps_the_old_and_frees_the_lock(connect: Connect) -> None:
    store = connect()

    async def good(kept: Credential) -> Credential:
        return FULL

    async def bad(kept: Credential) -> Credential:
        raise LookupError("no")

    await store.change("failing", good)
    with pytest.raises(LookupError):
        await store.change("failing", bad)
    assert await store.load("failing") == FULL
    async with asyncio.timeout(10):
        await connect().change("failing", good)


async def test_the_api_may_read_and_not_write(connect: Connect) -> None:
    async def change(kept: Credential) -> Credential:
        return FULL

    await connect().change("grants", change)
    api = connect("api")
    assert await api.load("grants") == FULL
    with pytest.raises(DatabaseAway):
        await api.change("grants", change)


async def test_database_away(connect: Connect) -> None:
    store = connect(url="postgresql://nobody@127.0.0.1:1/none")
    with pytest.raises(InfrastructureAway):
        await store.load("x")


def login_settings(pdpj: SimulatorControl, **login: SecretStr) -> PdpjSettings:
    """Settings of a client that gets its tokens itself."""
    return pdpj_settings(
        pdpj,
        Api.PORTAL,
        pdpj_access_token=None,
        pdpj_token_url=pdpj.token_url,
        pdpj_client_id="autos",
        pdpj_read_timeout=10.0,
        **login,
    )


async def test_eight_processes_with_one_refresh_token(connect: Connect, pdpj: SimulatorControl) -> None:
    """Rotation with reuse detection on: a second use of any refresh token would end the session for all."""
    issued = pdpj.issue_tokens()
    settings = login_settings(pdpj, pdpj_refresh_token=SecretStr(issued.refresh_token))
    sources = [build_source(settings, credentials=build_credentials(settings, store=connect())) for _ in range(8)]
    for turn in range(1, 4):
        await asyncio.gather(*(source.fetch_case(NUMBER) for source in sources for _ in range(4)))
        assert pdpj.metrics().token_requests == turn
        pdpj.revoke_tokens()
    assert pdpj.metrics().refused_logins == 0
    for source in sources:
        await source.aclose()


async def test_refusals_are_shared_by_all_processes(connect: Connect, pdpj: SimulatorControl) -> None:
    pdpj.configure_tokens(TokenSetting(client_secret="right", lock_after=3))
    settings = login_settings(pdpj, pdpj_client_secret=SecretStr("wrong"))
    sources = [build_source(settings, credentials=build_credentials(settings, store=connect())) for _ in range(6)]
    results = await asyncio.gather(*(source.fetch_case(NUMBER) for source in sources), return_exceptions=True)
    assert [type(result) for result in results] == [CredentialsRefused] * 6
    assert pdpj.metrics().refused_logins == 1
    for source in sources:
        await source.aclose()


async def test_the_api_uses_the_token_of_the_downloader(connect: Connect, pdpj: SimulatorControl) -> None:
    issued = pdpj.issue_tokens()
    settings = login_settings(pdpj, pdpj_refresh_token=SecretStr(issued.refresh_token))
    api = build_source(settings, credentials=build_credentials(settings, store=connect("api"), read_only=True))
    with pytest.raises(CredentialsRefused):
        await api.fetch_case(NUMBER)
    downloader = build_source(settings, credentials=build_credentials(settings, store=connect()))
    await downloader.fetch_case(NUMBER)
    assert (await api.fetch_case(NUMBER)).process_number == NUMBER
    assert pdpj.metrics().token_requests == 1
    await api.aclose()
    await downloader.aclose()
