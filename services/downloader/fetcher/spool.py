"""One document on its way: in memory while it is small, then in a nameless temporary file, with its SHA-256.

A nameless file is gone with the process, also after kill -9. Small documents never touch a thread or the disk; of a
large one no more than a piece is in memory from then on.
"""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from pathlib import Path
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
        self._sha256 = hashlib.sha256()
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        self._file: IO[bytes] | None = None
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
        self._pending.append(chunk)
        self._pending_bytes += len(chunk)
        self.size += len(chunk)
        if self._pending_bytes >= (self._memory_bytes if self._file is None else _PIECE_BYTES):
            await self._unload()

    async def finish(self) -> bytes | IO[bytes]:
        """The whole document: its bytes, or the file from its beginning."""
        if self._file is None:
            content = b"".join(self._pending)
            self._pending = [content]
            self._sha256.update(content)
            return content
        await self._unload()
        self._file.seek(0)
        return self._file

    @property
    def sha256(self) -> str:
        """Lower-case hexadecimal, of what was taken; whole after :meth:`finish`."""
        return self._sha256.hexdigest()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
        self._pending = []

    async def _unload(self) -> None:
        pending, self._pending, self._pending_bytes = self._pending, [], 0
        # Shielded: the thread has the file, and a cancelled fetch closes it only when the thread is through.
        work = asyncio.ensure_future(asyncio.to_thread(self._store, pending))
        try:
            await asyncio.shield(work)
        except asyncio.CancelledError:
            await asyncio.wait([work])
            raise
        except OSError as error:
            # Full, or read-only: not the document's fault.
            raise InfrastructureAway("spool directory") from error

    def _store(self, pending: list[bytes]) -> None:
        if self._file is None:
            self._directory.mkdir(parents=True, exist_ok=True)
            self._file = tempfile.TemporaryFile(dir=self._directory)  # noqa: SIM115 - closed in close()
        for chunk in pending:
            self._sha256.update(chunk)
        self._file.writelines(pending)
        self._file.flush()
