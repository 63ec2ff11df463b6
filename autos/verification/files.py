"""The files of a folder, each read once, in pieces. Nothing is followed out of it."""

from __future__ import annotations

import hashlib
import os
import stat
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from autos.verification.comparison import FoundFile
from autos.verification.manifest import LARGEST_BYTES, Unreadable

_PIECE_BYTES: Final = 1024 * 1024
MOST_FILES: Final = 400_000
"""Of a folder or an archive: more are not looked at."""


def digest(file: BinaryIO) -> FoundFile:
    """The rest of an open file, read in pieces. Raises OSError."""
    sha256, size = hashlib.sha256(), 0
    while piece := file.read(_PIECE_BYTES):
        sha256.update(piece)
        size += len(piece)
    return FoundFile(sha256.hexdigest(), size)


def read_whole(path: Path) -> bytes:
    """A small file. Raises Unreadable when it cannot be read, or is larger than a manifest may be."""
    try:
        with _opened(path) as file:
            raw = file.read(LARGEST_BYTES + 1)
    except OSError as error:
        raise Unreadable(f"{path.name} cannot be read: {error.strerror}") from None
    if len(raw) > LARGEST_BYTES:
        raise Unreadable(f"{path.name} is larger than a manifest can be")
    return raw


def read_file(path: Path) -> FoundFile:
    """One file; what cannot be read says why."""
    try:
        with _opened(path) as file:
            return digest(file)
    except OSError as error:
        return FoundFile(None, 0, f"it cannot be read: {error.strerror}")


def read_folder(folder: Path, without: frozenset[str]) -> dict[str, FoundFile]:
    """Every file below a folder by its name in it, with ``/``; ``without`` are names that are no documents.

    A link is not followed: it is something that is no document. Raises Unreadable.
    """
    found: dict[str, FoundFile] = {}
    for name, path, regular in _walk(folder):
        if name in without:
            continue
        if len(found) >= MOST_FILES:
            raise Unreadable(f"the folder has more than {MOST_FILES:,} files")
        found[name] = read_file(path) if regular else FoundFile(None, 0, "it is no regular file")
    return found


def _walk(folder: Path) -> Iterator[tuple[str, Path, bool]]:
    """Name, path and whether it is a regular file, of all that is no folder."""

    def refuse(error: OSError) -> None:
        raise Unreadable(f"the folder {error.filename} cannot be read: {error.strerror}")

    for where, folders, files in os.walk(folder, onerror=refuse, followlinks=False):
        links = [name for name in folders if (Path(where) / name).is_symlink()]
        for name in sorted([*files, *links]):
            path = Path(where) / name
            # Some file systems take accents apart; the manifest's names have them in one character.
            told = unicodedata.normalize("NFC", path.relative_to(folder).as_posix())
            yield told, path, stat.S_ISREG(path.lstat().st_mode)


def _opened(path: Path) -> BinaryIO:
    """A regular file, and never a pipe, which could wait for ever. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(0, "it is no regular file")
    return os.fdopen(descriptor, "rb")
