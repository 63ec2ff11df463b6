"""The spool keeps every byte in order, in memory or on disk, and leaves no file."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.downloader.fetcher.spool import Spool


def whole(content: object) -> bytes:
    if isinstance(content, bytes):
        return content
    read = content.read()  # type: ignore[attr-defined]
    assert isinstance(read, bytes)
    return read


async def test_a_small_document_stays_in_memory(tmp_path: Path) -> None:
    with Spool(tmp_path / "spool") as spool:
        await spool.write(b"abc")
        await spool.write(b"def")
        assert await spool.finish() == b"abcdef"
        assert (spool.size, spool.sha256) == (6, hashlib.sha256(b"abcdef").hexdigest())
    assert not (tmp_path / "spool").exists()


async def test_a_large_document_is_on_disk_without_a_name(tmp_path: Path) -> None:
    piece = bytes(range(256)) * 1024
    with Spool(tmp_path, memory_bytes=len(piece)) as spool:
        for _ in range(5):
            await spool.write(piece)
        content = await spool.finish()
        assert not isinstance(content, bytes)
        assert os.listdir(tmp_path) == []
        assert whole(content) == piece * 5
        assert spool.sha256 == hashlib.sha256(piece * 5).hexdigest()
    assert content.closed


@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.binary(max_size=64), max_size=20), st.integers(1, 200))
async def test_what_comes_out_is_what_went_in(tmp_path: Path, pieces: list[bytes], memory_bytes: int) -> None:
    with Spool(tmp_path, memory_bytes=memory_bytes) as spool:
        for piece in pieces:
            await spool.write(piece)
        content = whole(await spool.finish())
        expected = b"".join(pieces)
        assert content == expected
        assert (spool.size, spool.sha256) == (len(expected), hashlib.sha256(expected).hexdigest())
