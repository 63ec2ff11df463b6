"""Names and times of an archive's files."""

from __future__ import annotations

import io
import ntpath
import re
import unicodedata
import zipfile
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import PurePosixPath, PureWindowsPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.api.documents.archive import MANIFEST, ArchiveEntry, archive_names, stream_archive

NOW = datetime(2025, 3, 1, 12, 0, tzinfo=UTC)


def is_reserved(name: str) -> bool:
    """Whether Windows means a device by this name."""
    # Python 3.13 has it in another place, and warns of the old one.
    newer = getattr(ntpath, "isreserved", None)
    return bool(newer(name) if newer is not None else PureWindowsPath(name).is_reserved())


def entry(
    name: str, identity: str = "0b9c4f3e-58b5", size: int = 3, filed_at: datetime | None = NOW, position: int = 1
) -> ArchiveEntry:
    return ArchiveEntry(identity, f"key/{identity}", name, "application/pdf", size, filed_at, position)


_HOSTILE = [
    "../../etc/passwd",
    "..\\..\\boot.ini",
    "/etc/passwd",
    "C:\\windows\\system.ini",
    "\\\\server\\share",
    "..",
    ".",
    "",
    " ",
    "a/b",
    "a\x00.pdf",
    "a\nb",
    "con",
    "nul.pdf",
    "fdp\u202eexe.",
    "manifest.json",
    "a" * 500,
    "ç" * 500,
    "\ud800",
    "name.",
    'a:b*?|<>"',
]


@given(st.lists(st.one_of(st.text(max_size=30), st.sampled_from(_HOSTILE)), max_size=20))
def test_names_in_an_archive_are_safe_and_unique(names: list[str]) -> None:
    made = archive_names([entry(name, position=place) for place, name in enumerate(names, 1)])
    # As file systems compare them that know neither case nor composed characters.
    assert len({unicodedata.normalize("NFD", name).casefold() for name in [*made, MANIFEST]}) == len(names) + 1
    assert made == sorted(made)
    for name in made:
        windows = PureWindowsPath(name)
        assert PurePosixPath(name).parts == windows.parts == (name,)
        assert windows.anchor == "" and not is_reserved(name) and not re.search(r'[<>:"|?*\x00-\x1f\x7f]', name)
        assert not name.endswith((".", " ")) and len(name.encode()) < 256
        assert not {unicodedata.category(character) for character in name} & {"Cc", "Cs", "Zl", "Zp"}
        assert not any("\u202a" <= character <= "\u202e" or "\u2066" <= character <= "\u2069" for character in name)


def test_files_are_numbered_by_their_place_in_the_case_whatever_is_missing() -> None:
    made = archive_names([entry("a", position=2), entry("b", position=1200)])
    assert made == ["0002 a.pdf", "1200 b.pdf"]


@pytest.mark.parametrize(
    "name", [name for name in _HOSTILE if name not in ("con", "nul.pdf", "manifest.json", "name.")]
)
def test_a_name_that_would_do_harm_is_not_taken_as_it_is(name: str) -> None:
    [made] = archive_names([entry(name)])
    assert made.removeprefix("001 ").removesuffix(".pdf") != name


@pytest.mark.parametrize(
    ("filed_at", "told"),
    [
        (None, (1980, 1, 1, 0, 0, 0)),
        (datetime.min.replace(tzinfo=UTC), (1980, 1, 1, 0, 0, 0)),
        (datetime(1979, 12, 31, 23, 59, tzinfo=UTC), (1980, 1, 1, 0, 0, 0)),
        # Still 1979 in São Paulo.
        (datetime(1980, 1, 1, 1, 0, tzinfo=UTC), (1980, 1, 1, 0, 0, 0)),
        (datetime(2024, 5, 2, 15, 30, 8, tzinfo=UTC), (2024, 5, 2, 12, 30, 8)),
        (datetime(2108, 1, 1, 1, 0, tzinfo=UTC), (2107, 12, 31, 23, 59, 58)),
        (datetime(2200, 5, 1, tzinfo=UTC), (2107, 12, 31, 23, 59, 58)),
        (datetime.max.replace(tzinfo=UTC), (2107, 12, 31, 23, 59, 58)),
    ],
)
async def test_a_filing_date_that_a_zip_cannot_hold_is_the_nearest_that_it_can(
    filed_at: datetime | None, told: tuple[int, ...]
) -> None:
    async def open_object(key: str) -> AsyncIterator[bytes]:
        yield b"abc"

    parts = [part async for part in stream_archive([entry("a", filed_at=filed_at)], b"{}", open_object, NOW)]
    with zipfile.ZipFile(io.BytesIO(b"".join(parts))) as archive:
        assert archive.testzip() is None
        assert archive.getinfo("001 a.pdf").date_time == told


async def test_an_archive_is_whole_and_begins_with_its_manifest() -> None:
    async def open_object(key: str) -> AsyncIterator[bytes]:
        yield key.encode()
        yield b"!" * 300_000

    entries = [entry("Petição.pdf", f"id{index}", position=index + 1) for index in range(3)]
    parts = [part async for part in stream_archive(entries, b'{"documents": []}', open_object, NOW)]
    assert max(len(part) for part in parts) < 700_000
    with zipfile.ZipFile(io.BytesIO(b"".join(parts))) as archive:
        assert archive.testzip() is None
        assert archive.namelist()[0] == MANIFEST and archive.read(MANIFEST) == b'{"documents": []}'
        assert archive.read("001 Petição.pdf").startswith(b"key/id0!")
