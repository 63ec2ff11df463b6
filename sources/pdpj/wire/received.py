"""The answers about one case as they come in: in memory while they are small, then in nameless temporary files."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterable
from pathlib import Path
from typing import IO, Final

from sources.errors import CaseTooLarge, SourceUnavailable

MEMORY_BYTES: Final = 1024 * 1024
"""From this size on an answer is on disk: many that come at once must not fill the memory."""


class Received:
    """One answer. ``head`` is its first bytes, the whole of it where it is small; ``file`` holds a larger one."""

    def __init__(self, head: bytes, size: int, file: IO[bytes] | None = None) -> None:
        self.head = head
        self.size = size
        self.file = file

    def close(self) -> None:
        """Let go of the file."""
        if self.file is not None:
            self.file.close()

    def as_file(self) -> IO[bytes]:
        """The whole of it as a file, from its beginning. Blocks for a disk."""
        if self.file is None:
            self.file = tempfile.TemporaryFile()  # noqa: SIM115 - closed in close()
            self.file.write(self.head)
        self.file.flush()
        self.file.seek(0)
        return self.file


async def receive(pieces: AsyncIterable[bytes], limit: int, directory: Path) -> Received:
    """Everything that comes: in memory up to MEMORY_BYTES, then in a nameless file in ``directory``.

    Raises CaseTooLarge beyond ``limit`` bytes, before more is read; SourceUnavailable when the disk has no room; and as
    the wire does.
    """
    held: list[bytes] = []
    size = written = 0
    head: bytes | None = None
    file: IO[bytes] | None = None
    try:
        async for piece in pieces:
            size += len(piece)
            if size > limit:
                raise CaseTooLarge(f"the source answers more than {limit} bytes about the case")
            held.append(piece)
            if size - written >= MEMORY_BYTES:
                if file is None:
                    head = b"".join(held)
                    file = await asyncio.to_thread(_temporary, directory)
                writing, held, written = held, [], size
                # The thread has the file: it is closed only when the thread is through.
                await _uncancelled(asyncio.ensure_future(asyncio.to_thread(file.writelines, writing)))
        if file is None:
            return Received(b"".join(held), size)
        await _uncancelled(asyncio.ensure_future(asyncio.to_thread(file.writelines, held)))
        return Received(head or b"", size, file)
    except BaseException as error:
        if file is not None:
            file.close()
        if isinstance(error, OSError) and not isinstance(error, TimeoutError):
            raise SourceUnavailable("there is no room on disk for the source's answer") from error
        raise


def _temporary(directory: Path) -> IO[bytes]:
    directory.mkdir(parents=True, exist_ok=True)
    return tempfile.TemporaryFile(dir=directory)


async def _uncancelled(work: asyncio.Future[None]) -> None:
    try:
        await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait([work])
        raise
