"""One document on its way from the source to the store, with its SHA-256: in memory while small, then on disk.

The file on disk has no name: it is gone with the process, also after kill -9. A small document touches neither a thread
nor the disk; of a large one no more than a piece is in memory.
"""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path
from tempfile import TemporaryFile
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
        # Only once there is too much for the memory.
        self._file: IO[bytes] | None = None
        self._sha256 = hashlib.sha256()
        self._pending: list[bytes] = []
        """What is in memory: all of a small document, of a large one what the disk does not have yet."""
        self._pending_bytes = 0
        self._hashed = 0
        """How many of the pieces in memory are in the hash."""
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
        self._pending.append(chunk)
        if self.size < self._memory_bytes:
            self._sha256.update(chunk)
            self._hashed += 1
            return
        self._pending_bytes += len(chunk)
        if self._file is None or self._pending_bytes >= _PIECE_BYTES:
            await self._unload()

    async def finish(self) -> bytes | IO[bytes]:
        """The whole document: its bytes, or the file from its beginning."""
        if self._file is not None:
            await self._unload()
            self._file.seek(0)
            return self._file
        # One piece is itself, without a copy.
        content = b"".join(self._pending)
        # Or else the document would be in memory twice.
        self._pending = []
        return content

    @property
    def sha256(self) -> str:
        """Lower-case hexadecimal, of what was taken; whole after :meth:`finish`."""
        return self._sha256.hexdigest()

    def close(self) -> None:
        """Let go of the bytes and of the file. May be called again."""
        if self._file is not None:
            self._file.close()
        self._pending = []

    async def _unload(self) -> None:
        pending, self._pending, self._pending_bytes = self._pending, [], 0
        hashed, self._hashed = self._hashed, 0
        # Shielded: the thread has the file, and a cancelled fetch closes it only when the thread is through.
        work = asyncio.ensure_future(asyncio.to_thread(self._to_disk, pending, hashed))
        try:
            await asyncio.shield(work)
        except asyncio.CancelledError:
            await asyncio.wait([work])
            raise
        except OSError as error:
            # Full, or read-only: not the document's fault.
            raise InfrastructureAway("spool directory") from error

    def _to_disk(self, pending: list[bytes], hashed: int) -> None:
        """Append the pieces; the first ``hashed`` of them are in the hash already."""
        if self._file is None:
            self._directory.mkdir(parents=True, exist_ok=True)
            self._file = TemporaryFile(dir=self._directory)  # noqa: SIM115 - see close()
        for index, chunk in enumerate(pending):
            if index >= hashed:
                self._sha256.update(chunk)
            self._file.write(chunk)
        self._file.flush()
