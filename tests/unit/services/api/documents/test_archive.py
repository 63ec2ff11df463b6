"""The archive while it is written: what it holds in memory, and what is left of it when the store breaks."""

from __future__ import annotations

import io
import tracemalloc
import zipfile
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from services.api.documents.archive import ArchiveEntry, stream_archive

CHUNK = 256 * 1024
MADE_AT = datetime(2026, 1, 2, tzinfo=UTC)


def entry(index: int, size: int) -> ArchiveEntry:
    return ArchiveEntry(f"{index:08d}-0000", f"key/{index}", "Petição.pdf", "application/pdf", size, MADE_AT, index)


async def test_no_more_than_a_few_chunks_are_held_whatever_the_size() -> None:
    size = 64 * 1024 * 1024

    async def opened(key: str) -> AsyncIterator[bytes]:
        for _ in range(size // CHUNK):
            yield bytes(CHUNK)

    written = largest = 0
    tracemalloc.start()
    try:
        async for part in stream_archive([entry(1, size), entry(2, size)], b"{}", opened, MADE_AT):
            written += len(part)
            largest = max(largest, len(part))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert written > 2 * size
    assert largest <= 2 * CHUNK + 4096
    assert peak < 16 * CHUNK


async def test_a_store_that_breaks_leaves_nothing_that_could_be_taken_for_whole() -> None:
    async def opened(key: str) -> AsyncIterator[bytes]:
        yield bytes(10)
        if key == "key/2":
            raise ConnectionResetError

    written = bytearray()

    async def write() -> None:
        async for part in stream_archive([entry(1, 10), entry(2, 20)], b"{}", opened, MADE_AT):
            written.extend(part)

    with pytest.raises(ConnectionResetError):
        await write()
    assert written
    with pytest.raises(zipfile.BadZipFile):
        zipfile.ZipFile(io.BytesIO(bytes(written)))
