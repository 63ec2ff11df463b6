"""A dump of the database after a whole journey gives nobody access."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from typing import Any

import httpx

from shared.domain.cnj import ProcessNumber
from shared.secrets.owners import source_token
from tests.e2e.journey import ask, autos, owner_cursor, secret_keys
from tests.product import Product

HEADER = "Bearer of-the-receiver-0f5c2a"


def dump(product: Product) -> str:
    """Every row of every table, with the table's name, as JSON: bytes are in hexadecimal."""
    with owner_cursor(product) as cursor:
        cursor.execute(
            "SELECT quote_ident(table_schema) || '.' || quote_ident(table_name) FROM information_schema.tables"
            " WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema')"
        )
        tables = [name for (name,) in cursor.fetchall()]
        assert len(tables) > 25
        rows: list[str] = []
        for table in tables:
            cursor.execute(f"SELECT to_json(t)::text FROM {table} t")
            rows += [f"{table}: {row}" for (row,) in cursor.fetchall()]
    return "\n".join(rows)


def test_a_dump_of_the_database_has_no_secret(product: Product, process_number: Callable[[], ProcessNumber]) -> None:
    number = process_number()
    product.simulator.put_case(number, documents=2, size=2_000)
    made = autos(product, "keys", "create", f"dump-{number}", "--name", "of the test")
    assert made.returncode == 0 and made.stderr == "", made.stderr
    key = made.stdout.split()[-1]
    with httpx.Client(base_url=product.api_url, headers={"x-api-key": key}, timeout=30, trust_env=False) as client:
        secrets = [client.get("/webhooks/secret").json()["secret"]]
        secrets.append(client.post("/webhooks/secret/rotate").json()["secret"])
        body = {"url": product.receiver.url(f"/dump/own/{number}"), "headers": {"Authorization": HEADER}}
        endpoint = client.post("/webhooks/endpoints", json=body).json()
        secrets.append(endpoint["secret"])
        token = client.post("/tokens/stream", json={}).json()["token"]
        assert client.get(f"/processes/{number}").status_code == 200
        # Signed with the secret of the stack's client, which the notifier has decrypted.
        ask(product, number, webhook_url=product.receiver.url(f"/dump/{number}"))
        assert product.wait_for_webhook(f"/dump/{number}")[0].verified
        assert product.wait_for_webhook(f"/dump/own/{number}")
        secrets.append(client.post(f"/webhooks/endpoints/{endpoint['id']}/secret/rotate").json()["secret"])
        text = dump(product)
        assert client.delete(f"/webhooks/endpoints/{endpoint['id']}").status_code == 204
    tokens = _source_tokens(product)
    assert tokens and all(len(each) > 8 for each in tokens)
    stack: dict[str, Any] = product.stack()
    plain = [key, token, stack["api_key"], stack["webhook_secret"], HEADER, *secrets, *tokens]
    assert [one for one in plain if one in text or json.dumps(one)[1:-1] in text] == []
    for each in (key, stack["api_key"]):
        digest = hashlib.sha256(each.encode()).digest()
        assert digest.hex() not in text.lower()
    # Whatever looks like a secret that signs would be one that nobody thought of.
    looks_like_one = re.compile(r"whs(?:ec|k)_[A-Za-z0-9+/]{20,}")
    assert {row.partition(": ")[0] for row in text.splitlines() if looks_like_one.search(row)} == set()


def _source_tokens(product: Product) -> list[str]:
    ring = secret_keys(product)
    with owner_cursor(product) as cursor:
        cursor.execute("SELECT name, access_token, refresh_token FROM source.credentials")
        return [
            ring.from_store(stored, source_token(name, kind))
            for name, *kept in cursor.fetchall()
            for kind, stored in zip(("access", "refresh"), kept, strict=True)
            if stored is not None
        ]
