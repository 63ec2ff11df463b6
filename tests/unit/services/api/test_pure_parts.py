"""Ranges, traces, tags, cursors, archive names: the small pure parts of the api."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import re
import unicodedata
import zipfile
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath, PureWindowsPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.api.documents.archive import MANIFEST, Entry, archive_names, stream_archive
from services.api.documents.links import LinkCache
from services.api.documents.ranges import ByteRange, NotSatisfiable, parse_range
from services.api.http import cursors
from services.api.http.answers import matches
from services.api.http.problems import InvalidCursor
from services.api.http.tracing import request_id, traceparent
from services.api.processes.follow.follow import EventId
from services.api.processes.request.single_flight import SingleFlight

NOW = datetime(2025, 3, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("bytes=0-0", ByteRange(0, 1)),
        ("bytes=90-", ByteRange(90, 100)),
        ("bytes=-10", ByteRange(90, 100)),
        ("bytes=-1000", ByteRange(0, 100)),
        ("bytes=50-1000", ByteRange(50, 100)),
        ("Bytes = 1-2", ByteRange(1, 3)),
        ("bytes=5-4", None),
        ("bytes=0-1,5-6", None),
        ("lines=1-2", None),
        ("bytes=-", None),
    ],
)
def test_ranges(header: str | None, expected: ByteRange | None) -> None:
    assert parse_range(header, 100) == expected


@pytest.mark.parametrize("header", ["bytes=100-", "bytes=200-300", "bytes=-0"])
def test_a_range_behind_the_end_cannot_be_satisfied(header: str) -> None:
    with pytest.raises(NotSatisfiable):
        parse_range(header, 100)


@given(st.text(max_size=40), st.integers(0, 1000))
def test_any_range_header_is_a_range_within_or_none(header: str, size: int) -> None:
    try:
        wanted = parse_range(header, size)
    except NotSatisfiable:
        return
    assert wanted is None or 0 <= wanted.start < wanted.end <= size


def test_the_callers_trace_goes_on_and_nonsense_begins_a_new_one() -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    mine = traceparent(f"00-{trace}-00f067aa0ba902b7-00")
    assert mine.split("-")[1] == trace and mine.endswith("-00") and "00f067aa0ba902b7" not in mine
    for wrong in (None, "", "junk", f"ff-{trace}-00f067aa0ba902b7-01", f"00-{'0' * 32}-00f067aa0ba902b7-01"):
        assert trace not in traceparent(wrong)
        assert len(traceparent(wrong)) == 55
    assert request_id("order-17") == "order-17"
    assert request_id("a\nb") != "a\nb"


def test_tags_match_weakly() -> None:
    assert matches('"x", W/"abc"', 'W/"abc"') and matches("*", 'W/"abc"')
    assert not matches('"ab"', 'W/"abc"') and not matches(None, 'W/"abc"')


@given(st.datetimes(timezones=st.just(UTC)), st.uuids())
def test_cursors_come_back(moment: datetime, identity: object) -> None:
    assert cursors.decode(cursors.encode(moment, str(identity))) == (moment, str(identity))


@given(st.text(max_size=60))
def test_a_wrong_cursor_is_a_problem(text: str) -> None:
    try:
        cursors.decode(text)
    except InvalidCursor as problem:
        assert problem.status == 422


@given(st.text(max_size=60))
def test_a_foreign_event_id_begins_at_the_beginning(text: str) -> None:
    parsed = EventId.parse(text)
    assert parsed is None or parsed.version >= 0
    assert EventId.parse(str(EventId("job", 3, 1.5))) == EventId("job", 3, 1.5)


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2024-01-01T00:00:00"])
def test_a_cursor_beside_the_calendar_is_a_problem(moment: str) -> None:
    cursor = base64.urlsafe_b64encode(f"{moment}|0b9c4f3e-58b5-5d0c-9a4e-8e1f0c6c1d55".encode()).decode()
    with pytest.raises(InvalidCursor):
        cursors.decode(cursor)


def entry(
    name: str, identity: str = "0b9c4f3e-58b5", size: int = 3, filed_at: datetime | None = NOW, position: int = 1
) -> Entry:
    return Entry(identity, f"key/{identity}", name, "application/pdf", size, "ab" * 32, 1, filed_at, position)


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
        assert windows.anchor == "" and not windows.is_reserved() and not re.search(r'[<>:"|?*\x00-\x1f\x7f]', name)
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
async def test_a_filing_date_that_a_zip_cannot_tell_is_the_nearest_and_true_in_the_manifest(
    filed_at: datetime | None, told: tuple[int, ...]
) -> None:
    async def open_object(_key: str) -> AsyncIterator[bytes]:
        yield b"abc"

    parts = [part async for part in stream_archive("number", [entry("a", filed_at=filed_at)], open_object, NOW)]
    with zipfile.ZipFile(io.BytesIO(b"".join(parts))) as archive:
        assert archive.testzip() is None
        assert archive.getinfo("001 a.pdf").date_time == told
        [listed] = json.loads(archive.read(MANIFEST))["documents"]
        assert (listed["filed_at"] is None) is (filed_at is None)


async def test_an_archive_is_whole_and_has_a_manifest() -> None:
    async def open_object(key: str) -> AsyncIterator[bytes]:
        yield key.encode()
        yield b"!" * 300_000

    entries = [entry("Petição.pdf", f"id{index}", position=index + 1) for index in range(3)]
    parts = [part async for part in stream_archive("number", entries, open_object, NOW)]
    assert max(len(part) for part in parts) < 700_000
    with zipfile.ZipFile(io.BytesIO(b"".join(parts))) as archive:
        assert archive.testzip() is None
        listed = json.loads(archive.read("manifest.json"))
        assert [document["id"] for document in listed["documents"]] == ["id0", "id1", "id2"]
        first = listed["documents"][0]["file"]
        assert first == "001 Petição.pdf" and archive.read(first).startswith(b"key/id0!")


class _Signer:
    def __init__(self) -> None:
        self.made = 0

    def make(
        self,
        key: str,
        *,
        content_disposition: str | None = None,
        content_type: str | None = None,
        seconds: int = 3600,
    ) -> str:
        self.made += 1
        return f"{key}?{self.made}&{content_disposition}&{seconds}"


def test_links_are_kept_until_five_minutes_are_left() -> None:
    moment = NOW
    signer = _Signer()
    links = LinkCache(signer, lambda: moment)
    first = links.get("key", "a.pdf", None, sealed=False)
    moment = NOW + timedelta(seconds=3300)
    assert links.get("key", "a.pdf", None, sealed=False) is first
    moment = NOW + timedelta(seconds=3301)
    second = links.get("key", "a.pdf", None, sealed=False)
    assert second.url != first.url and second.expires_at == moment + timedelta(seconds=3600)
    assert signer.made == 2


def test_a_link_of_a_sealed_document_is_short_nameless_and_never_kept() -> None:
    signer = _Signer()
    links = LinkCache(signer, lambda: NOW)
    long = links.get("key", "Laudo de Maria.pdf", None, sealed=False)
    assert "Maria" in long.url
    made = [links.get("key", "Laudo de Maria.pdf", None, sealed=True) for _ in range(2)]
    assert {link.expires_at - NOW for link in made} == {timedelta(seconds=300)}
    assert all("Maria" not in link.url and link.url.endswith("&attachment&300") for link in made)
    assert made[0].url != made[1].url
    # Neither is given out for the other.
    assert links.get("key", "Laudo de Maria.pdf", None, sealed=False) is long


async def test_one_flight_serves_all_who_ask_meanwhile_and_errors_are_not_kept() -> None:
    calls = 0
    go = asyncio.Event()

    async def work(key: str) -> int:
        nonlocal calls
        calls += 1
        await go.wait()
        if calls == 1:
            raise ValueError(key)
        return calls

    flights = SingleFlight(work, keep_seconds=60)
    waiting = [asyncio.create_task(flights.get("a")) for _ in range(5)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    go.set()
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(outcomes[0], asyncio.CancelledError)
    assert all(isinstance(outcome, ValueError) for outcome in outcomes[1:]) and calls == 1
    assert await flights.get("a") == await flights.get("a") == 2
    assert await flights.get("a", again=True) == 3
    await flights.aclose()
