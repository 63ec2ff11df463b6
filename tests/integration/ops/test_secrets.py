"""Every secret in the database is encrypted with the newest key, also when that is interrupted; and back again."""

from __future__ import annotations

import base64
import hashlib
import os
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import Connection, insert, select, update

from ops import secrets
from ops.clients import add_key, create_client
from ops.secrets import KINDS, look, rotate
from shared.db.catalog import api_keys, clients
from shared.db.engine import make_engine
from shared.db.source import credentials
from shared.db.webhook_endpoints import webhook_endpoints
from shared.secrets.keys import SecretKeys, Standing
from shared.webhooks.headers import HeaderKeys
from shared.webhooks.sealing import SealingKeys
from tests.integration.db.fresh import FreshDatabase, fresh_database
from tests.support import Servers

OLD, NEW, SEALING = (base64.b64encode(os.urandom(32)).decode() for _ in range(3))
HEADERS = {"Authorization": "Bearer of-the-receiver"}
KEY = "autos_sk_of_the_client"
CLIENTS = 5


def keys(*texts: str) -> HeaderKeys:
    return HeaderKeys(SecretKeys(texts), SealingKeys([SEALING]))


@pytest.fixture(scope="module")
def database(servers: Servers) -> Iterator[FreshDatabase]:
    """A database as the release before leaves it: everything in the clear but headers, which its own key sealed."""
    with fresh_database(servers) as fresh:
        engine = make_engine(fresh.owner_url, application_name="test", pool_size=1)
        with engine.begin() as connection:
            _fill(connection)
        engine.dispose()
        yield fresh


def _fill(connection: Connection) -> None:
    now = datetime.now(UTC)
    for number in range(CLIENTS):
        create_client(connection, f"client-{number}", "test", SecretKeys())
    connection.execute(
        update(clients)
        .where(clients.c.client_id == "client-0")
        .values(webhook_secret="whsec_present", previous_webhook_secret="whsec_before", previous_secret_until=now)
    )
    endpoint_id = str(uuid.uuid4())
    connection.execute(
        insert(webhook_endpoints).values(
            endpoint_id=endpoint_id,
            client_id="client-0",
            url="https://example.com/",
            events=[],
            payload="full",
            header_names=list(HEADERS),
            sealed_headers=HeaderKeys(sealing=SealingKeys([SEALING])).seal(HEADERS, endpoint_id),
            secret="whsec_endpoint",
            created_at=now,
            updated_at=now,
        )
    )
    connection.execute(insert(credentials).values(name="pdpj", access_token="token-a", refresh_token="token-r"))
    add_key(connection, "client-0", KEY, name="test", secrets=SecretKeys())


def everything(database: FreshDatabase) -> str:
    """Every row of the tables that have secrets, as text."""
    engine = make_engine(database.owner_url, application_name="test", pool_size=1)
    with engine.connect() as connection:
        tables = {kind.table.fullname: kind.table for kind in KINDS}.values()
        found = [str(row) for table in tables for row in connection.execute(select(table))]
    engine.dispose()
    return "\n".join(found)


def is_known(database: FreshDatabase, given: HeaderKeys) -> bool:
    engine = make_engine(database.owner_url, application_name="test", pool_size=1)
    with engine.connect() as connection:
        hashes = given.secrets.hashes(hashlib.sha256(KEY.encode()).digest())
        row = connection.execute(select(api_keys.c.key_id).where(api_keys.c.key_hash.in_(hashes))).one_or_none()
    engine.dispose()
    return row is not None


def test_a_rotation_that_is_killed_goes_on_and_ends_with_everything_under_the_newest_key(
    database: FreshDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(secrets, "BATCH", 2)
    url = database.owner_url
    before = look(url, keys(OLD))
    assert before.kinds["webhook secrets of clients"] == {Standing.PLAIN: CLIENTS + 1}
    assert before.kinds["headers of endpoints"] == {Standing.OLDER: 1}
    assert (
        before.kinds["tokens of the source"] == {Standing.PLAIN: 2} and before.remaining == CLIENTS + 1 + 1 + 1 + 2 + 1
    )

    class Killed(BaseException):
        pass

    renew, seen = secrets._renew, []

    def killed_at_the_fourth(*given: object) -> int:
        seen.append(given)
        if len(seen) == 4:
            raise Killed
        return renew(*given)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(secrets, "_renew", killed_at_the_fourth)
        with pytest.raises(Killed):
            rotate(url, keys(OLD))
    # The batch that was cut off was rolled back, those before it stay.
    assert look(url, keys(OLD)).kinds["webhook secrets of clients"] == {Standing.CURRENT: 3, Standing.PLAIN: 3}
    report = rotate(url, keys(OLD))
    assert report.remaining == 0 and report.changed == before.remaining - 3
    text = everything(database)
    plain = ("whsec_", "of-the-receiver", "token-a", "token-r", repr(hashlib.sha256(KEY.encode()).digest()))
    assert not [secret for secret in plain if secret in text]
    assert is_known(database, keys(OLD)) and not is_known(database, keys(NEW))

    # A new key in front: what the old one encrypted is readable until the rotation has ended, and then without it.
    assert look(url, keys(NEW, OLD)).remaining == before.remaining and is_known(database, keys(NEW, OLD))
    assert look(url, keys(NEW)).kinds["API keys"] == {Standing.UNREADABLE: 1}
    assert rotate(url, keys(NEW, OLD)).remaining == 0
    assert look(url, keys(NEW)).remaining == 0 and is_known(database, keys(NEW)) and not is_known(database, keys(OLD))
    assert rotate(url, keys(NEW)).changed == 0

    # With the wrong key nothing is changed.
    wrong = rotate(url, keys(OLD))
    assert wrong.changed == 0 and {*wrong.kinds["tokens of the source"]} == {Standing.UNREADABLE}

    # The way back to the release before: it reads everything again.
    rotate(url, keys(NEW), to_plain=True)
    text = everything(database)
    assert all(secret in text for secret in plain if secret != "of-the-receiver")
    assert "autos:1:" not in text and is_known(database, keys())
