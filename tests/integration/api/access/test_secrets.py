"""Secrets and keys of an api with AUTOS_SECRETS_KEY, with another one, and without."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import select

from ops.clients import create_key
from shared.db.catalog import api_keys, clients
from shared.db.engine import make_engine
from shared.db.webhook_endpoints import webhook_endpoints
from shared.secrets.keys import SecretKeys
from tests.integration.api.scripted import MakeApp, client_of
from tests.integration.db.fresh import FreshDatabase, fresh_database
from tests.support import Servers

KEY, OTHER = (base64.b64encode(os.urandom(32)).decode() for _ in range(2))
ENDPOINT = {"url": "http://127.0.0.1:8099/", "headers": {"Authorization": "Bearer of-the-receiver"}}


@pytest.fixture(scope="module")
def database(servers: Servers) -> Iterator[FreshDatabase]:
    """Of its own: an api without the pepper of a key cannot tell good keys from others."""
    with fresh_database(servers) as fresh:
        yield fresh


def rows(database: FreshDatabase, table: Any) -> list[Any]:
    engine = make_engine(database.owner_url, application_name="test", pool_size=1)
    with engine.connect() as connection:
        found = list(connection.execute(select(table)))
    engine.dispose()
    return found


async def test_what_is_stored_is_encrypted_and_nothing_is_shown_or_signed_without_its_key(
    database: FreshDatabase, make_app: MakeApp
) -> None:
    def app(*keys: str, **more: Any) -> FastAPI:
        return make_app(database_url=database.role_urls["api"], secrets_key=",".join(keys) or None, **more)

    _, before = create_key(database.owner_url, "before", name="without a pepper", secrets=SecretKeys())
    _, key = create_key(database.owner_url, "after", name="with one", secrets=SecretKeys([KEY]))
    async with client_of(app(KEY), key) as api, client_of(app(KEY), before) as old:
        secret = (await api.get("/webhooks/secret")).json()["secret"]
        # Made before there was a key: it is read as it is, and the next one is encrypted.
        kept = (await old.get("/webhooks/secret")).json()["secret"]
        new = (await old.post("/webhooks/secret/rotate")).json()["secret"]
        assert (await old.get("/webhooks/secret")).json()["secret"] == new != kept
        endpoint = (await api.post("/webhooks/endpoints", json=ENDPOINT)).json()
        rotated = (await api.post(f"/webhooks/endpoints/{endpoint['id']}/secret/rotate")).json()
    stored = "\n".join(str(row) for table in (clients, webhook_endpoints, api_keys) for row in rows(database, table))
    for plain in (secret, new, endpoint["secret"], rotated["secret"], "of-the-receiver"):
        assert plain.startswith("whsec_") or plain == "of-the-receiver"
        assert plain not in stored
    # Behind a newer key it still opens; a ring that lacks it knows neither the secret nor the key.
    async with client_of(app(OTHER, KEY), key) as api:
        assert (await api.get("/webhooks/secret")).json()["secret"] == secret
    for ring in ((OTHER,), ()):
        async with client_of(app(*ring), key) as api, client_of(app(*ring), before) as old:
            for client, path in ((api, "/webhooks/secret"), (old, "/webhooks/secret")):
                answer = await client.get(path)
                assert (answer.status_code, answer.json()["code"]) == (503, "secrets_unreadable"), ring
                assert "retry-after" in answer.headers or client is api
            sent = await old.post("/webhooks/test", json={"url": "http://127.0.0.1:8099/"})
            assert (sent.status_code, sent.json()["code"]) == (503, "secrets_unreadable")
    # A client gets out of it by itself: a rotation does not open the old secret.
    async with client_of(app(OTHER), before) as old:
        assert (await old.post("/webhooks/secret/rotate")).status_code == 200
        await old.post("/webhooks/secret/rotate")
        assert (await old.get("/webhooks/secret")).status_code == 200
