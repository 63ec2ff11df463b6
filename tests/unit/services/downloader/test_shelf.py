"""A store that was away is asked whether it is back; that it has not a document yet is a good answer."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from obstore.store import MemoryStore, S3Store

from services.downloader.shelf import Shelf
from shared.events.document_requested import DocumentRequested
from shared.kafka.errors import InfrastructureAway

NUMBER = "1000145-91.2023.8.26.0597"
NOBODY = "http://127.0.0.1:9"  # the discard port: refused at once


def request() -> DocumentRequested:
    document = str(uuid.uuid4())
    return DocumentRequested(
        job_id=str(uuid.uuid4()),
        process_number=NUMBER,
        document_id=document,
        source_path="/x",
        object_key=f"processes/10001459120238260597/documents/{document}",
        name="Petição",
        expected_size=3,
        attempt=1,
    )


def nowhere() -> S3Store:
    keys: dict[str, Any] = {"access_key_id": "a", "secret_access_key": "b"}  # pragma: allowlist secret
    return S3Store("b", endpoint=NOBODY, client_options={"allow_http": True}, retry_config={"max_retries": 0}, **keys)


async def put(shelf: Shelf, asked: DocumentRequested) -> None:
    await shelf.put(asked, b"abc", size=3, sha256="", content_type="text/plain")


class Switched:
    """A store that can be away: the shelf has one store, so it is exchanged underneath."""

    def __init__(self) -> None:
        self.shelf = Shelf(nowhere())

    def back(self) -> None:
        self.shelf._store = MemoryStore()  # type: ignore[assignment]


async def test_a_new_document_is_taken_when_the_store_is_back() -> None:
    switched, asked = Switched(), request()
    with pytest.raises(InfrastructureAway):
        await put(switched.shelf, asked)
    with pytest.raises(InfrastructureAway):
        await switched.shelf.ready(asked.object_key)
    switched.back()
    await switched.shelf.ready(asked.object_key)
    await put(switched.shelf, asked)
    # It is known to be there: nothing is asked any more.
    switched.shelf._store = nowhere()
    await switched.shelf.ready(asked.object_key)


async def test_a_bucket_that_is_not_there_is_a_store_that_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    async def not_found(*_: Any, **__: Any) -> None:
        raise FileNotFoundError("NoSuchBucket")

    monkeypatch.setattr("services.downloader.shelf.obstore.put_async", not_found)
    with pytest.raises(InfrastructureAway):
        await put(Shelf(nowhere()), request())
