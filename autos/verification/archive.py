"""The files of an archive of anybody's making, never written to disk, within bounds of memory, entries and time.

What a hostile archive could try, and what happens:

- many entries, or a huge directory: counted before they are read, and refused;
- a few bytes that become very many: an entry is read only when it says the size that the signed manifest says, and no
  further than that; more than DEFLATE can hold is refused at once;
- two entries of one name, of which each reader takes another: both are found changed;
- names that lead out of a folder, links, encryption: said, and never followed, since nothing is unpacked.
"""

from __future__ import annotations

import stat
import struct
import unicodedata
import zipfile
import zlib
from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import BinaryIO, Final

from autos.verification.comparison import FoundFile
from autos.verification.files import MOST_FILES, digest
from autos.verification.manifest import LARGEST_BYTES, Unreadable

MANIFEST: Final = "manifest.json"
_BEGINNINGS: Final = (b"PK\x03\x04", b"PK\x05\x06")
_LARGEST_DIRECTORY: Final = 64 * 1024 * 1024
_MOST_OF_ONE_BYTE: Final = 1_100
"""DEFLATE makes at most 1,032 bytes of one."""
_METHODS: Final = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_BROKEN: Final = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, RuntimeError, ValueError)
"""What zipfile raises of an archive or an entry that it cannot read, whether broken or of a kind that it does not know:
NotImplementedError is a RuntimeError, and UnicodeDecodeError a ValueError."""
_ENCRYPTED: Final = 0x1
_END: Final = struct.Struct("<4s4H2LH")
_LOCATOR: Final = struct.Struct("<4sLQL")
_END_64: Final = struct.Struct("<4sQ2H2L4Q")
_ENTRY_LENGTHS: Final = struct.Struct("<28x3H")
"""Of an entry of the directory: behind 28 bytes, how long its name, extra field and comment are."""
_ENTRY_BYTES: Final = 46
_LONGEST_COMMENT: Final = 0xFFFF


def is_archive(path: Path) -> bool:
    """Whether a file begins as a ZIP does. Raises OSError."""
    with path.open("rb") as file:
        return file.read(4) in _BEGINNINGS


class Archive:
    """A ZIP; a context manager."""

    def __init__(self, path: Path) -> None:
        """Raises Unreadable for what is no ZIP, or passes a bound."""
        try:
            with path.open("rb") as file:
                self._bytes = _check_directory(file)
            self._zip = zipfile.ZipFile(path)
        except _BROKEN as error:
            raise Unreadable(f"{path.name} is no whole ZIP: {error}") from None
        # Names as the file system of whoever unpacks it may see them. Folders are no files.
        entries = [entry for entry in self._zip.infolist() if not (_is_folder(entry) and not entry.file_size)]
        self._entries = [(_name_of(entry), entry) for entry in entries]
        self._times = Counter(name for name, _ in self._entries)

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()

    def manifest(self) -> bytes:
        """The bytes of manifest.json. Raises Unreadable when there is none, or two."""
        found = [entry for name, entry in self._entries if name == MANIFEST]
        if len(found) != 1:
            raise Unreadable(f"the archive has {len(found) or 'no'} {MANIFEST}")
        [entry] = found
        if (why := self._refused(MANIFEST, entry)) is not None:
            raise Unreadable(f"{MANIFEST} in the archive: {why}")
        if entry.file_size > LARGEST_BYTES:
            raise Unreadable(f"{MANIFEST} in the archive is larger than a manifest can be")
        try:
            with self._zip.open(entry) as file:
                return file.read(LARGEST_BYTES)
        except _BROKEN as error:
            raise Unreadable(f"{MANIFEST} in the archive cannot be read: {error}") from None

    def read(self, wanted: Mapping[str, Collection[int]], others: Collection[int] = ()) -> dict[str, FoundFile]:
        """Every other entry by its name; ``wanted``: the sizes in bytes that an entry of a name may have.

        ``others``: those that an entry of any other name may have. One that has no such size is not read. Raises
        Unreadable when what is to be read cannot be in an archive of this size.
        """
        entries = [(name, entry) for name, entry in self._entries if name != MANIFEST]
        total = sum(entry.file_size for name, entry in entries if entry.file_size in wanted.get(name, others))
        if total > self._bytes * _MOST_OF_ONE_BYTE:
            raise Unreadable(
                f"the archive says that it holds {total:,} bytes, more than its {self._bytes:,} can become"
            )
        return {name: self._found(name, entry, wanted.get(name, others)) for name, entry in entries}

    def _found(self, name: str, entry: zipfile.ZipInfo, sizes: Collection[int]) -> FoundFile:
        if (why := self._refused(name, entry)) is not None:
            return FoundFile(None, entry.file_size, why)
        if entry.file_size not in sizes:
            return FoundFile("", entry.file_size)
        try:
            # zipfile gives no more than file_size, and checks the CRC at the end.
            with self._zip.open(entry) as file:
                return digest(file)  # type: ignore[arg-type]
        except _BROKEN as error:
            return FoundFile(None, entry.file_size, f"it cannot be read whole: {error}")

    def _refused(self, name: str, entry: zipfile.ZipInfo) -> str | None:
        """Why an entry is not read; None: it may be."""
        if self._times[name] > 1:
            return f"{self._times[name]} entries have this name"
        if entry.flag_bits & _ENCRYPTED:
            return "it is encrypted"
        if entry.compress_type not in _METHODS:
            return "it is compressed in a way that is not looked into"
        if stat.S_ISLNK(entry.external_attr >> 16):
            return "it is a link"
        if not name or _is_folder(entry) or unicodedata.normalize("NFC", entry.orig_filename) != name:
            return "it has no name of a file"
        if name.startswith(("/", "\\")) or ".." in name.replace("\\", "/").split("/") or name[1:2] == ":":
            return "its name leads out of the folder that it is unpacked in"
        return None


def _is_folder(entry: zipfile.ZipInfo) -> bool:
    # Of an entry without a name, zipfile's own question ends in an error.
    return entry.filename.endswith("/")


def _name_of(entry: zipfile.ZipInfo) -> str:
    return unicodedata.normalize("NFC", entry.filename)


def _check_directory(file: BinaryIO) -> int:
    """Bytes of the file, whose directory is within bounds. Raises Unreadable, struct.error and OSError.

    Reads what APPNOTE.TXT, section 4.3.12 and those behind it, says of the directory before zipfile makes an object of
    each entry; what the end says of their number is not believed.
    """
    size = file.seek(0, 2)
    file.seek(max(0, size - _LONGEST_COMMENT - _END.size))
    start, tail = file.tell(), file.read()
    # As zipfile looks for it: at the very end first.
    at = len(tail) - _END.size
    if at < 0 or not (tail.startswith(b"PK\x05\x06", at) and tail.endswith(b"\x00\x00")):
        at = tail.rfind(b"PK\x05\x06")
    if at < 0:
        raise Unreadable("the archive has no end: it is cut off, or no ZIP")
    length, end = _END.unpack_from(tail, at)[5], start + at
    if end >= _LOCATOR.size + _END_64.size:
        file.seek(end - _LOCATOR.size)
        if file.read(_LOCATOR.size).startswith(b"PK\x06\x07"):
            file.seek(end := end - _LOCATOR.size - _END_64.size)
            length = _END_64.unpack(file.read(_END_64.size))[8]
    if length > min(_LARGEST_DIRECTORY, end):
        raise Unreadable(f"the archive says that its directory has {length:,} bytes, which is too many")
    file.seek(end - length)
    _count(file.read(length))
    return size


def _count(directory: bytes) -> None:
    """Raises Unreadable for too many entries."""
    at = count = 0
    while at + _ENTRY_BYTES <= len(directory):
        at += _ENTRY_BYTES + sum(_ENTRY_LENGTHS.unpack_from(directory, at))
        count += 1
    if count > MOST_FILES:
        raise Unreadable(f"the archive has {count:,} entries, and at most {MOST_FILES:,} are looked at")
