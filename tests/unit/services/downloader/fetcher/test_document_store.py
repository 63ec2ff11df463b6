"""A store that was away is asked whether it is back; that it has not a document yet is a good answer."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import obstore
import pytest
from obstore.exceptions import GenericError, PermissionDeniedError
from obstore.store import MemoryStore, S3Store

from services.downloader.fetcher.document_store import DocumentStore, StoreRefused, is_refusal
from shared.errors import InfrastructureAway
from shared.events.document_requested import DocumentRequested
from shared.storage.known_puts import PutFailed

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


async def put(document_store: DocumentStore, asked: DocumentRequested) -> None:
    await document_store.put(asked, b"abc", size=3, sha256="", content_type="text/plain")


class Network:
    """What is between the downloader and the store."""

    def __init__(self) -> None:
        self.up = True

    def under(self, call: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def attempt(*arguments: Any, **options: Any) -> Any:
            if not self.up:
                raise GenericError("Generic S3 error: error sending request: connection refused")
            return await call(*arguments, **options)

        return attempt


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Network:
    made = Network()
    for name in ("put_async", "head_async"):
        call = getattr(obstore, name)
        monkeypatch.setattr(f"services.downloader.fetcher.document_store.obstore.{name}", made.under(call))
    return made


async def test_a_store_that_nobody_answers_for_is_away() -> None:
    with pytest.raises(InfrastructureAway):
        await put(DocumentStore(nowhere()), request())


async def test_a_new_document_is_taken_when_the_store_is_back(network: Network) -> None:
    document_store, asked = DocumentStore(MemoryStore()), request()  # type: ignore[arg-type]
    network.up = False
    with pytest.raises(InfrastructureAway):
        await put(document_store, asked)
    with pytest.raises(InfrastructureAway):
        await document_store.ready(asked.object_key)
    network.up = True
    await document_store.ready(asked.object_key)
    await put(document_store, asked)
    # It is known to be there: nothing is asked any more.
    network.up = False
    await document_store.ready(asked.object_key)


async def test_a_bucket_that_is_not_there_is_a_store_that_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    async def not_found(*_: Any, **__: Any) -> None:
        raise FileNotFoundError("NoSuchBucket")

    monkeypatch.setattr("services.downloader.fetcher.document_store.obstore.put_async", not_found)
    with pytest.raises(InfrastructureAway):
        await put(DocumentStore(nowhere()), request())


def answer(status: str, code: str = "") -> str:
    """The text of obstore's error for an answer, as it was seen."""
    body = f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>m</Message></Error>' if code else ""
    told = f"Error performing PUT http://store/b/k in 2.6ms - Server returned non-2xx status code: {status}: {body}"
    return f"Generic S3 error: {told}\n\nDebug source:\nGeneric {{ status code: 500 <Code>ExpiredToken</Code> }}"


@pytest.mark.parametrize(
    ("status", "code", "refused"),
    [
        ("400 Bad Request", "KeyTooLongError", True),
        ("400 Bad Request", "MetadataTooLarge", True),
        ("400 Bad Request", "", True),
        ("413 Payload Too Large", "EntityTooLarge", True),
        ("400 Bad Request", "ExpiredToken", False),
        ("400 Bad Request", "RequestTimeout", False),
        ("401 Unauthorized", "x", False),
        ("403 Forbidden", "AccessDenied", False),
        ("404 Not Found", "NoSuchBucket", False),
        ("409 Conflict", "OperationAborted", False),
        ("429 Too Many Requests", "", False),
        ("503 Service Unavailable", "SlowDown", False),
        ("507 Insufficient Storage", "", False),
    ],
)
def test_an_answer_is_about_the_object_or_about_the_store(status: str, code: str, refused: bool) -> None:
    assert is_refusal(GenericError(answer(status, code))) is refused


def test_what_is_no_answer_is_no_refusal() -> None:
    assert not is_refusal(PermissionDeniedError("error sending request: connection refused"))
    assert not is_refusal(OSError())


async def test_a_document_that_the_store_refuses_costs_an_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refused(*_: Any, **__: Any) -> None:
        raise GenericError(answer("400 Bad Request", "MetadataTooLarge"))

    monkeypatch.setattr("services.downloader.fetcher.document_store.obstore.put_async", refused)
    document_store = DocumentStore(nowhere())
    with pytest.raises(StoreRefused):
        await put(document_store, request())
    # The store is there: the next one is not asked about first.
    await document_store.ready("k")


async def test_the_key_is_that_of_the_case_and_the_document_whatever_the_request_says() -> None:
    store = MemoryStore()
    document_store = DocumentStore(store)  # type: ignore[arg-type]
    asked = request()
    await put(document_store, asked.model_copy(update={"object_key": "processes/1/documents/another"}))
    assert [found["path"] for found in store.list().collect()] == [asked.object_key]


class Puts:
    """Known puts that end as they are told to; what came is kept."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.came: list[tuple[str, bytes, str, dict[str, str]]] = []

    async def put(self, key: str, content: bytes, sha256: str, headers: dict[str, str]) -> str | None:
        self.came.append((key, content, sha256, headers))
        if (status := self.statuses.pop(0)) != 200:
            raise PutFailed(status)
        return "v1"


async def test_a_document_in_memory_is_put_with_the_hash_that_is_known() -> None:
    puts, store, asked = Puts(200), MemoryStore(), request()
    document_store = DocumentStore(store, puts)  # type: ignore[arg-type]
    version = await document_store.put(asked, b"abc", size=3, sha256="ab12", content_type="text/plain")
    assert version == "v1"
    assert not store.list().collect()
    told = {"x-amz-meta-sha256": "ab12", "x-amz-meta-process-number": NUMBER, "x-amz-meta-name": "Peti%C3%A7%C3%A3o"}
    assert puts.came == [(asked.object_key, b"abc", "ab12", {"content-type": "text/plain", **told})]


async def test_what_the_known_puts_fail_at_is_obstores() -> None:
    puts, store, asked = Puts(503, 200), MemoryStore(), request()
    document_store = DocumentStore(store, puts)  # type: ignore[arg-type]
    await put(document_store, asked)
    assert [found["path"] for found in store.list().collect()] == [asked.object_key]
    await put(document_store, request())
    assert len(store.list().collect()) == 1


async def test_a_signature_that_is_refused_is_not_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    puts, store = Puts(403), MemoryStore()
    document_store = DocumentStore(store, puts)  # type: ignore[arg-type]
    for _ in range(3):
        await put(document_store, request())
    assert (len(puts.came), len(store.list().collect())) == (1, 3)
    assert [entry.message for entry in caplog.records] == [
        "The object store refuses our own signature, its client's is used from now on"
    ]


async def test_a_document_on_disk_is_obstores(tmp_path: Path) -> None:
    puts, store, asked = Puts(), MemoryStore(), request()
    whole = tmp_path / "document"
    whole.write_bytes(b"abc")
    with whole.open("rb") as file:
        await DocumentStore(store, puts).put(asked, file, size=3, sha256="", content_type="text/plain")  # type: ignore[arg-type]
    assert len(store.list().collect()) == 1
