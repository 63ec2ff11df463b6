"""Which source a case is read from, and what the registry adds to a source."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from shared.db.engine import Database
from shared.domain import cnj
from shared.domain.case import Case
from shared.settings import WrongSettings
from sources.base import CourtSource, SourceContext
from sources.registry import SOURCES, Courts, SourceByCourt, SourceEntry
from sources.settings import SourceSettings

SAO_PAULO = cnj.make(1, 2024, 8, 26, 100)
ELSEWHERE = cnj.make(1, 2024, 8, 19, 100)


def settings(**values: Any) -> SourceSettings:
    given = {"pdpj_base_url": "https://pdpj.example", "pdpj_access_token": "t", **values}
    return SourceSettings(_env_file=None, **given)


class NoDocuments:
    """Answers every case, with the same version as every other source."""

    closed = False

    async def fetch_case(self, number: str, *, read_timeout: float | None = None) -> Case:
        return Case(number, None, None, None, [], [], None, None, None, [])

    async def last_update(self, number: str, *, within: float | None = None) -> str | None:
        return "1"

    def open_document(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError

    async def aclose(self) -> None:
        self.closed = True


def connected(**entries: CourtSource) -> SourceByCourt:
    registry = SOURCES
    for name, source in entries.items():
        registry = registry.with_source(name, SourceEntry(lambda _, __, it=source: it, lambda _: "https://x.example"))  # type: ignore[misc]
    database = Database.connect("postgresql://nobody@localhost/none", application_name="test", pool_size=1)
    return registry.connect_all(settings(sources={"8.26": "esaj"}), SourceContext(database))


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        ({}, "pdpj"),
        ({"8.26": "esaj"}, "esaj"),
        ({"8": "esaj"}, "esaj"),
        ({"8": "other", "8.26": "esaj"}, "esaj"),
        ({"8.26.0100": "esaj", "8.26": "other"}, "esaj"),
        ({"8.26.0101": "esaj"}, "pdpj"),
        ({"8.19": "esaj"}, "pdpj"),
        ({"8.26": "pdpj", "8": "other"}, "pdpj"),
        ({"6": "esaj"}, "pdpj"),
    ],
)
def test_the_longest_court_that_fits_decides(sources: dict[str, str], expected: str) -> None:
    assert Courts(sources).source_of(SAO_PAULO) == expected


@pytest.mark.parametrize(("court", "kept"), [("8.26", "8.26"), ("8.26.*", "8.26"), ("8.*", "8"), ("8.26.0100", None)])
def test_a_court_is_written_with_or_without_a_star(court: str, kept: str | None) -> None:
    assert settings(sources={court: "esaj"}).sources == {kept or court: "esaj"}


@pytest.mark.parametrize("court", ["", "26", "8.6", "8.26.1", "TJSP", "*", "8.26.0100.1", "8.26*"])
def test_what_is_no_court_stops_the_start(court: str) -> None:
    with pytest.raises(ValidationError, match=r"J\.TR"):
        settings(sources={court: "esaj"})


def test_a_source_that_is_not_registered_stops_the_start() -> None:
    with pytest.raises(WrongSettings, match="'esaj'"):
        SOURCES.in_use(settings(sources={"8.26": "esaj"}))


def test_pdpj_is_in_use_whatever_is_set() -> None:
    assert SOURCES.in_use(settings()) == ("pdpj",)


async def test_a_case_is_read_from_the_source_of_its_court_and_says_so() -> None:
    source = NoDocuments()
    sources = connected(esaj=source)
    assert (await sources.fetch_case(SAO_PAULO)).source == "esaj"
    await sources.aclose()
    assert source.closed


async def test_a_version_of_one_source_is_never_another_s() -> None:
    sources = connected(esaj=NoDocuments())
    assert await sources.last_update(SAO_PAULO) == "esaj 1"
    await sources.aclose()
