"""Steps that the end-to-end tests share: ask for a case, check the files that were delivered, run a command."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import httpx
import psycopg2

from ops.clients import SCOPES, create_key
from shared.secrets.keys import SecretKeys
from tests.product import Product


def ask(product: Product, number: str, *, expect: int = 200, **parameters: object) -> dict[str, Any]:
    """GET /processes/{number}; the view (or the problem)."""
    answer = product.client.get(f"/processes/{number}", params={name: str(value) for name, value in parameters.items()})
    assert answer.status_code == expect, answer.text
    view: dict[str, Any] = answer.json()
    return view


def autos(product: Product, *arguments: str) -> subprocess.CompletedProcess[str]:
    """``autos ...`` on the running product."""
    return subprocess.run(
        [sys.executable, "-m", "autos.main", *arguments],
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
        env={**os.environ, "AUTOS_DATA_DIR": str(product.data_dir)},
    )


def secret_keys(product: Product) -> SecretKeys:
    """What the product encrypts its secrets with."""
    return SecretKeys([json.loads((product.data_dir / "secrets.json").read_text())["secrets_key"]])


def new_key(product: Product, client_id: str, scopes: Sequence[str] = SCOPES) -> str:
    """A key of a client, which is made if need be, as ``autos keys create`` makes it."""
    url = product.stack()["database_url"]
    return create_key(url, client_id, name="of a test", scopes=tuple(scopes), secrets=secret_keys(product))[1]


def files(product: Product, number: str) -> list[dict[str, Any]]:
    """The documents that are available."""
    listed: list[dict[str, Any]] = product.client.get(f"/processes/{number}/files").json()["documents"]
    return listed


def check_files(product: Product, number: str) -> int:
    """Fetch every available document by its link; each has the bytes that the source has. How many there are."""
    expected = {document.document_id: document for document in product.simulator.case(number).documents}
    listed = files(product, number)
    with httpx.Client(timeout=30.0, trust_env=False) as plain:
        for document in listed:
            body = plain.get(document["download_url"])
            assert body.status_code == 200, document["id"]
            digest = hashlib.sha256(body.content).hexdigest()
            assert digest == document["sha256"] == expected[document["id"]].sha256
            assert document["size"] == len(body.content) == expected[document["id"]].size
    return len(listed)


@contextmanager
def owner_cursor(product: Product) -> Iterator[Any]:
    """A cursor as the owner of the database, each statement by itself."""
    connection = psycopg2.connect(product.stack()["database_url"])
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            yield cursor
    finally:
        connection.close()
