"""Reads sizes and hashes from S3: one listing a case, and whole objects only when hashes are asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from typing import Final

from obstore.store import S3Store

from ops.invariants.findings import Mismatch
from ops.invariants.objects import StoredDocument, judge, right_key
from shared.domain.cnj import parse

_AT_ONCE: Final = 8
_CASES_AHEAD: Final = 64


class StoreReader:
    """Compares documents with their objects, eight cases at once. With ``hashes`` every object is read as a whole."""

    def __init__(self, store: S3Store, *, hashes: bool) -> None:
        self._store = store
        self._hashes = hashes

    def judge(self, documents: Iterable[StoredDocument]) -> Iterator[Mismatch]:
        """What does not match; ``documents`` come by case. Raises what the store raises when it is away."""
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="objects") as threads:
            for batch in _batches(documents):
                for found in threads.map(self._judge_case, batch):
                    yield from found

    def _judge_case(self, documents: list[StoredDocument]) -> list[Mismatch]:
        prefix = f"processes/{parse(documents[0].process_number).digits}/documents/"
        sizes = {item["path"]: item["size"] for page in self._store.list(prefix) for item in page}
        found: list[Mismatch] = []
        for document in documents:
            key = right_key(document)
            size = sizes.get(key)
            digest = self._digest(key) if self._hashes and size is not None else None
            found += judge(document, key, size, digest)
        return found

    def _digest(self, key: str) -> str | None:
        """The object's SHA-256; None when it was deleted after the listing, which the next look reports."""
        digest = hashlib.sha256()
        try:
            for chunk in self._store.get(key).stream():
                digest.update(chunk)
        except FileNotFoundError:
            return None
        return digest.hexdigest()


def _batches(documents: Iterable[StoredDocument]) -> Iterator[list[list[StoredDocument]]]:
    """Documents by case, some cases at a time."""
    batch: list[list[StoredDocument]] = []
    for _, case in groupby(documents, key=lambda document: document.process_number):
        batch.append(list(case))
        if len(batch) == _CASES_AHEAD:
            yield batch
            batch = []
    if batch:
        yield batch
