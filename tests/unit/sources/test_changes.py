"""When a case is read again, and with which version it is stored."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import pytest

from shared.domain.case import Case, CaseDocument
from shared.domain.cnj import ProcessNumber, parse
from sources.changes import FreshCase, UnchangedCase, read_changed
from sources.errors import (
    CredentialsRefused,
    NoAccess,
    SourceError,
    SourceServerError,
    SourceThrottled,
    SourceTimeout,
    SourceUnavailable,
)

NUMBER = parse("1000145-91.2023.8.26.0597")
DOCUMENT = CaseDocument(
    document_id="00000000-0000-4000-8000-000000000001",
    name="Petição",
    type=None,
    type_code=None,
    sequence=1,
    filed_at=datetime(2024, 5, 2, tzinfo=UTC),
    pages=None,
    size=None,
    content_type=None,
    secrecy_level=None,
    source_path="/processos/n/documentos/d/binario",
)
CASE = Case(NUMBER, None, None, None, [], [], None, None, None, [], documents=[DOCUMENT])


@dataclass
class Scripted:
    """A source whose version is ``version`` (raised when it is an error, never told when it is an event)."""

    version: str | SourceError | asyncio.Event | None
    case: Case = CASE
    asked: list[str] = field(default_factory=list)

    async def last_update(self, number: ProcessNumber, *, within: float | None = None) -> str | None:
        self.asked.append("version")
        if isinstance(self.version, SourceError):
            raise self.version
        if isinstance(self.version, asyncio.Event):
            await self.version.wait()
            raise AssertionError("nobody sets it")
        return self.version

    async def fetch_case(self, number: ProcessNumber) -> Case:
        self.asked.append("case")
        return self.case


async def test_the_stored_version_spares_the_reading() -> None:
    source = Scripted("v1")
    assert await read_changed(source, NUMBER, "v1", seconds=20) == UnchangedCase("v1")
    assert source.asked == ["version"]


@pytest.mark.parametrize("stored", [None, "v0"])
async def test_another_version_is_read_and_the_version_is_asked_for_first(stored: str | None) -> None:
    source = Scripted("v1")
    assert await read_changed(source, NUMBER, stored, seconds=20) == FreshCase(CASE, "v1")
    assert source.asked == ["version", "case"]


async def test_a_source_without_versions_is_always_read() -> None:
    assert await read_changed(Scripted(None), NUMBER, None, seconds=20) == FreshCase(CASE, None)


@pytest.mark.parametrize("error", [SourceServerError(), SourceUnavailable(), SourceTimeout(), NoAccess()])
async def test_a_version_that_does_not_come_means_read_the_case(error: SourceError) -> None:
    source = Scripted(error)
    assert await read_changed(source, NUMBER, "v1", seconds=20) == FreshCase(CASE, None)
    assert source.asked == ["version", "case"]


async def test_a_version_that_hangs_leaves_the_case_its_time() -> None:
    source = Scripted(asyncio.Event())
    assert await read_changed(source, NUMBER, "v1", seconds=0.04) == FreshCase(CASE, None)


@pytest.mark.parametrize("error", [SourceThrottled(retry_after=3), CredentialsRefused()])
async def test_a_source_that_wants_no_requests_is_not_asked_for_the_case(error: SourceError) -> None:
    source = Scripted(error)
    with pytest.raises(type(error)):
        await read_changed(source, NUMBER, "v1", seconds=20)
    assert source.asked == ["version"]


@pytest.mark.parametrize(
    "case",
    [
        replace(CASE, documents=[]),
        replace(CASE, documents=[replace(DOCUMENT, source_path=None)]),
        replace(CASE, unlisted=True),
    ],
    ids=["no documents", "some cannot be read", "no list"],
)
async def test_a_case_with_gaps_is_read_again_next_time(case: Case) -> None:
    assert await read_changed(Scripted("v1", case), NUMBER, "v0", seconds=20) == FreshCase(case, None)
