"""One document on its way from the source to the store, with its SHA-256: in memory while small, then on disk.

The file on disk has no name: it is gone with the process, also after kill -9. A small document touches neither a thread
nor the disk; of a large one no more than a piece is in memory.
"""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path
from tempfile import SpooledTemporaryFile
from types import TracebackType
from typing import IO, Final, Self

from shared.errors import InfrastructureAway

MEMORY_BYTES: Final = 1024 * 1024
"""From this size on a document is on disk."""

_PIECE_BYTES: Final = 256 * 1024
"""What goes to the disk at once, so that a thread is worth its while."""


class Spool:
    """Takes a document's bytes in order; :meth:`finish` ends it. A context manager: the file ends with the block."""

    def __init__(self, directory: Path, *, memory_bytes: int = MEMORY_BYTES) -> None:
        self._directory = directory
        self._memory_bytes = memory_bytes
        # It never moves to the disk by itself, which would block the event loop: see _to_disk.
        self._file: SpooledTemporaryFile[bytes] = SpooledTemporaryFile(dir=str(directory))  # noqa: SIM115 - see close()
        self._on_disk = False
        self._sha256 = hashlib.sha256()
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        self.size = 0
        """Bytes taken so far."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    async def write(self, chunk: bytes) -> None:
        """Take the next bytes. Raises InfrastructureAway when the disk does not."""
        self.size += len(chunk)
        if self.size < self._memory_bytes:
            self._take([chunk])
            return
        self._pending.append(chunk)
        self._pending_bytes += len(chunk)
        if not self._on_disk or self._pending_bytes >= _PIECE_BYTES:
            await self._unload()

    async def finish(self) -> bytes | IO[bytes]:
        """The whole document: its bytes, or the file from its beginning."""
        if self._on_disk:
            await self._unload()
            self._file.seek(0)
            return self._file
        self._file.seek(0)
        content = self._file.read()
        # Or else the document would be in memory twice.
        self._file.close()
        return content

    @property
    def sha256(self) -> str:
        """Lower-case hexadecimal, of what was taken; whole after :meth:`finish`."""
        return self._sha256.hexdigest()

    def close(self) -> None:
        """Let go of the bytes and of the file. May be called again."""
        self._file.close()
        self._pending = []

    def _take(self, chunks: list[bytes]) -> None:
        for chunk in chunks:
            self._sha256.update(chunk)
            self._file.write(chunk)

    async def _unload(self) -> None:
        pending, self._pending, self._pending_bytes = self._pending, [], 0
        # Shielded: the thread has the file, and a cancelled fetch closes it only when the thread is through.
        work = asyncio.ensure_future(asyncio.to_thread(self._to_disk, pending))
        try:
            await asyncio.shield(work)
        except asyncio.CancelledError:
            await asyncio.wait([work])
            raise
        except OSError as error:
            # Full, or read-only: not the document's fault.
            raise InfrastructureAway("spool directory") from error

    def _to_disk(self, pending: list[bytes]) -> None:
        if not self._on_disk:
            self._directory.mkdir(parents=True, exist_ok=True)
            self._file.rollover()
            self._on_disk = True
        self._take(pending)
        self._file.flush()
