"""A client that pulls its feed through a storm, and what must be true of what it pulled."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from tests.chaos.client import PatientClient
from tests.chaos.plan import Case
from tests.product import Product
from tests.support import wait_until

_PAGE: Final = "7"
_WAIT_SECONDS: Final = "2"
_SETTLE_SECONDS: Final = 120.0


class FeedReader:
    """Pulls on, page after page; ``events`` are those that came, in order."""

    def __init__(self, client: PatientClient, cases: Sequence[Case]) -> None:
        self.events: list[dict[str, Any]] = []
        self.problems: list[str] = []
        self._client = client
        self._numbers = {case.number for case in cases}
        self._stop = threading.Event()

    def run(self) -> None:
        """Until :meth:`stop`, or what the client raises."""
        cursor: dict[str, str] = {}
        try:
            while not self._stop.is_set():
                page = self._client.ask("/events", limit=_PAGE, wait=_WAIT_SECONDS, **cursor)
                assert not page["missed"]
                self.events += [one for one in page["events"] if one["data"]["process_number"] in self._numbers]
                cursor = {"after": page["next_cursor"]}
        # A thread's last resort: the storm must hear of it.
        except Exception as error:  # noqa: BLE001
            self.problems.append(f"{type(error).__name__}: {error}")

    def stop(self) -> None:
        self._stop.set()

    def has_every_end(self) -> bool:
        """Whether the last event of each case has come."""
        ended = {one["data"]["process_number"] for one in self.events if one["type"] == "process.completed"}
        return ended == self._numbers or bool(self.problems)


@contextmanager
def pulling(product: Product, cases: Sequence[Case], deadline: float) -> Iterator[FeedReader]:
    """Pull the events of these cases until the block ends; ``deadline`` is monotonic."""
    client = PatientClient(product.api_urls, product.api_key, deadline)
    reader = FeedReader(client, cases)
    thread = threading.Thread(target=reader.run, name="pulling")
    thread.start()
    try:
        yield reader
    finally:
        reader.stop()
        thread.join(120)
        client.close()


def check_feed(product: Product, reader: FeedReader, cases: Sequence[Case]) -> int:
    """Nothing is missing, nothing came twice, documents came before the end of their job; how many events came."""
    wait_until(reader.has_every_end, _SETTLE_SECONDS, "the end of every case in the feed")
    assert not reader.problems, reader.problems
    pulled = list(reader.events)
    identities = [one["id"] for one in pulled]
    assert len(set(identities)) == len(identities), "an event came twice"
    # Who comes later reads the same, in the same order.
    assert identities == [one["id"] for one in _from_the_beginning(product, {case.number for case in cases})]
    for case in cases:
        _check_case(case, [one for one in pulled if one["data"]["process_number"] == case.number])
        # By its own filter too.
        its = product.client.get("/events", params={"process_number": case.number, "limit": 200}).raise_for_status()
        mine = [one["id"] for one in pulled if one["data"]["process_number"] == case.number]
        assert [one["id"] for one in its.json()["events"]] == mine, case.number
    return len(pulled)


def _check_case(case: Case, events: Sequence[Mapping[str, Any]]) -> None:
    *documents, end = events
    assert end["type"] == "process.completed", [one["type"] for one in events]
    assert {one["type"] for one in documents} <= {"document.available"}, [one["type"] for one in events]
    assert {one["data"]["job_id"] for one in events} == {end["data"]["job_id"]}, case.number
    told = [identity for one in documents for identity in one["data"]["document_ids"]]
    assert len(told) == len(set(told)) == end["data"]["completed_documents"], case.number
    assert len(told) == (case.documents if case.bad is None else 0), case.number


def _from_the_beginning(product: Product, numbers: set[str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        page = product.client.get("/events", params={"limit": "200", **cursor}).raise_for_status().json()
        if not page["events"]:
            return found
        found += [one for one in page["events"] if one["data"]["process_number"] in numbers]
        cursor = {"after": page["next_cursor"]}
