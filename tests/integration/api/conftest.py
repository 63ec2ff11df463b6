"""An application in this process, on the real database, with a source that tests write the script of."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import Engine

from ops import clients
from services.api.app import create_app
from services.api.http.provided import parts_of
from services.api.settings import ApiSettings
from shared.db.engine import Database, make_engine
from shared.secrets.keys import SecretKeys
from tests.integration.api.scripted import (
    ApiTools,
    MakeApp,
    MakeKey,
    MakeNumber,
    Progress,
    ScriptedSource,
    Stored,
    client_of,
)
from tests.support import Servers


@pytest.fixture
def source() -> ScriptedSource:
    return ScriptedSource()


@pytest.fixture(scope="module")
def owner(servers: Servers) -> Iterator[Engine]:
    engine = make_engine(servers.owner_url, application_name="test", pool_size=4)
    yield engine
    engine.dispose()


@pytest.fixture
def stored(owner: Engine) -> Stored:
    return Stored(owner)


@pytest.fixture
def progress(owner: Engine) -> Progress:
    return Progress(owner)


@pytest.fixture
def new_key(servers: Servers) -> MakeKey:
    """Makes a key, of a client of its own unless one is named."""
    names = itertools.count()

    def make(client_id: str | None = None, **options: Any) -> str:
        client = client_id or f"client-{uuid.uuid4().hex[:8]}-{next(names)}"
        return clients.create_key(servers.owner_url, client, name="test", secrets=SecretKeys(), **options)[1]

    return make


@pytest.fixture
async def make_app(servers: Servers, source: ScriptedSource) -> AsyncIterator[MakeApp]:
    """Makes applications that connect as the api's own role; their lifespans end with the test."""
    made: list[Any] = []

    def make(**settings: Any) -> FastAPI:
        values = {
            "database_url": servers.role_urls["api"],
            "kafka_bootstrap_servers": servers.bootstrap_servers,
            "pdpj_base_url": "http://127.0.0.1:9/portal",
            "pdpj_access_token": "unused",
            "s3_endpoint_url": servers.s3_endpoint_url,
            "s3_bucket": servers.s3_bucket,
            "AWS_ACCESS_KEY_ID": servers.s3_access_key_id,
            "AWS_SECRET_ACCESS_KEY": servers.s3_secret_access_key,
            "webhook_allowed_networks": "127.0.0.0/8",
            **settings,
        }
        app = create_app(ApiSettings(_env_file=None, **values), source=source)
        made.append(app)
        return app

    yield make
    for app in made:
        parts_of(app).get(Database).close()


@pytest.fixture
def tools(
    make_app: MakeApp,
    new_key: MakeKey,
    source: ScriptedSource,
    progress: Progress,
    process_number: MakeNumber,
    owner: Engine,
    stored: Stored,
) -> ApiTools:
    return ApiTools(make_app, new_key, source, progress, process_number, owner, stored)


@pytest.fixture
async def api(make_app: MakeApp, new_key: MakeKey) -> AsyncIterator[httpx.AsyncClient]:
    """A client with a key of its own."""
    async with client_of(make_app(), new_key()) as client:
        yield client
