"""A case's documents as one ZIP, written while the object store is read: only a few chunks are in memory."""

from __future__ import annotations

import zipfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol
from zoneinfo import ZoneInfo

from shared.http.disposition import file_name

MANIFEST: Final = "manifest.json"
_FLUSH_BYTES: Final = 256 * 1024
_LOCAL: Final = ZoneInfo("America/Sao_Paulo")
_FIRST: Final = (1980, 1, 1, 0, 0, 0)
_LAST: Final = (2107, 12, 31, 23, 59, 58)
"""What a ZIP can say of a file's time (APPNOTE.TXT, section 4.4.6). The manifest has the true one."""


@dataclass(frozen=True)
class ArchiveEntry:
    """One document of the archive."""

    document_id: str
    key: str
    name: str
    content_type: str | None
    size: int
    filed_at: datetime | None
    position: int
    """In the case, from 1; each has its own."""


class ObjectOpener(Protocol):
    """Opens an object for reading in chunks."""

    def __call__(self, key: str) -> AsyncIterator[bytes]:
        """The object's bytes."""


class _Sink:
    """What zipfile writes to; it cannot seek, so zipfile puts sizes and checksums behind each file."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self.held = 0

    def write(self, data: bytes, /) -> int:
        part = bytes(data)
        self._parts.append(part)
        self.held += len(part)
        return len(part)

    def flush(self) -> None:
        """Nothing is behind this."""

    def close(self) -> None:
        """Nothing to let go of."""

    def take(self) -> bytes:
        taken = b"".join(self._parts)
        self._parts.clear()
        self.held = 0
        return taken


def archive_names(entries: Sequence[ArchiveEntry]) -> list[str]:
    """A safe name for each entry, unique whatever the file system thinks of upper and lower case.

    The position in the case comes first: it makes them unique, and files sort as they were filed.
    """
    width = max(3, len(str(max((entry.position for entry in entries), default=0))))
    return [f"{entry.position:0{width}d} {file_name(entry.name, entry.content_type)}" for entry in entries]


async def stream_archive(
    entries: Sequence[ArchiveEntry], manifest: bytes, open_object: ObjectOpener, made_at: datetime
) -> AsyncIterator[bytes]:
    """The bytes of the archive, its manifest first. The files are stored as they are: documents hardly compress.

    A failure of the store ends the stream without the central directory, so that no client takes it for whole.
    """
    sink = _Sink()
    names = archive_names(entries)
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        with archive.open(_info(MANIFEST, made_at), "w") as target:
            target.write(manifest)
        for entry, name in zip(entries, names, strict=True):
            with archive.open(_info(name, entry.filed_at), "w", force_zip64=entry.size >= 2**31) as target:
                async for chunk in open_object(entry.key):
                    target.write(chunk)
                    if sink.held >= _FLUSH_BYTES:
                        yield sink.take()
            yield sink.take()
    yield sink.take()


def _info(name: str, at: datetime | None) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _file_time(at))
    info.external_attr = 0o644 << 16
    return info


def _file_time(at: datetime | None) -> tuple[int, int, int, int, int, int]:
    """The time of a file in the archive: local time, as nearly as the format can say it."""
    if at is None:
        return _FIRST
    # By the year first: an offset can lead out of the calendar.
    if not _FIRST[0] <= at.year <= _LAST[0]:
        return _FIRST if at.year < _FIRST[0] else _LAST
    return max(_FIRST, min(_LAST, at.astimezone(_LOCAL).timetuple()[:6]))
