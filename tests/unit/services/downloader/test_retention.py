"""Which documents of a case expire, and which objects nobody needs any more."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from services.downloader.retention import expiry
from shared.storage.store import object_key

NUMBER = "1000145-91.2023.8.26.0597"
STORED_AT = datetime(2026, 3, 2, tzinfo=UTC)


def stored(document_id: str, *, expired: bool, key: str | None = None) -> Any:
    return SimpleNamespace(
        document_id=document_id,
        job_id=str(uuid.uuid4()),
        object_key=key or object_key(NUMBER, document_id),
        attempts=1,
        revision=1,
        download_completed_at=STORED_AT,
        expired=expired,
    )


def ids(count: int) -> list[str]:
    return [str(uuid.uuid4()) for _ in range(count)]


def test_what_is_old_goes_and_what_is_new_stays() -> None:
    old, new = ids(2)
    found = expiry(NUMBER, [stored(old, expired=True), stored(new, expired=False)])
    assert [one.document_id for one in found.documents] == [old]
    assert found.keys == [object_key(NUMBER, old)]


def test_an_object_that_a_newer_document_shares_stays() -> None:
    old, new = ids(2)
    shared = object_key(NUMBER, old)
    found = expiry(NUMBER, [stored(old, expired=True), stored(new, expired=False, key=shared)])
    assert [one.document_id for one in found.documents] == [old]
    assert found.keys == []


def test_the_last_of_those_who_share_an_object_takes_it_along() -> None:
    first, second = ids(2)
    # The first has expired before: it is not available any more, and its object is under its key.
    found = expiry(NUMBER, [stored(second, expired=True, key=object_key(NUMBER, first))])
    assert set(found.keys) == {object_key(NUMBER, first), object_key(NUMBER, second)}


def test_a_later_content_goes_with_the_first() -> None:
    (only,) = ids(1)
    beside = f"{object_key(NUMBER, only)}.{'0' * 64}"
    found = expiry(NUMBER, [stored(only, expired=True, key=beside)])
    # Both begin with the document's own key, which is what is removed.
    assert object_key(NUMBER, only) in found.keys


def test_no_more_than_asked_for_at_once() -> None:
    rows = [stored(one, expired=True) for one in ids(5)]
    found = expiry(NUMBER, rows, most=2)
    assert len(found.documents) == 2
    # What is left for the next time keeps its objects.
    assert len(found.keys) == 2
