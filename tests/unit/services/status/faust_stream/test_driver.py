"""Private members of Faust and aiokafka: what an upgrade may break is named here."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from services.status.faust_stream.driver import PRIVATE_MEMBERS, pace_fetches
from services.status.faust_stream.headers import PRIVATE_MEMBERS as HEADER_MEMBERS
from services.status.faust_stream.supported import UnsupportedLibrary, check_library

USED = [
    pytest.param(library, series, owner, name, id=f"{library}-{owner.__name__}.{name}")
    for members in (PRIVATE_MEMBERS, HEADER_MEMBERS)
    for (library, series), owners in members.items()
    for owner, names in owners.items()
    for name in names
]


class Owner:
    """Has a member of the class, and one of the instance."""

    def __init__(self) -> None:
        self._kept = 1

    def _used(self) -> None: ...


@pytest.mark.parametrize(("library", "series", "owner", "name"), USED)
def test_the_installed_library_has_each_private_member(library: str, series: str, owner: type, name: str) -> None:
    check_library(library, series, {owner: (name,)})


@pytest.mark.parametrize("installed", ["0.1.9", "0.16.0", "0.150.1", "1.15"])
def test_another_version_is_refused_and_says_what_to_look_at(installed: str) -> None:
    with pytest.raises(UnsupportedLibrary, match=f"some-library {installed} is installed.*0022.*tests/integration"):
        check_library("some-library", "0.15", {Owner: ("_used", "_kept")}, installed=lambda _: installed)
    check_library("some-library", "0.15", {Owner: ("_used", "_kept")}, installed=lambda _: "0.15.7")


def test_a_member_that_has_gone_is_named() -> None:
    with pytest.raises(UnsupportedLibrary, match=r"some-library 0\.15\.3 has no Owner\._gone\."):
        check_library("some-library", "0.15", {Owner: ("_used", "_gone")}, installed=lambda _: "0.15.3")


async def test_a_fetch_is_not_repeated_within_ten_milliseconds_of_its_answer() -> None:
    """aiokafka's fetcher, as far as it is replaced: one node's fetches are apart."""
    times: list[tuple[int, float]] = []
    loop = asyncio.get_running_loop()

    class Fetcher:
        async def _proc_fetch_request(self, assignment: Any, node_id: int, request: Any) -> bool:
            times.append((node_id, loop.time()))
            return True

    fetcher: Any = Fetcher()
    pace_fetches(fetcher)
    fetch = vars(fetcher)["_proc_fetch_request"]
    for node in (1, 1, 2):
        assert await fetch(None, node, None)
    (_, first), (_, second), _ = times
    assert second - first >= 0.009
