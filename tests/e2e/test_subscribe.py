"""The consumers of docs/examples/subscribe read real events, lose none over a kill, and replay from a time.

All languages run at the same time, each in a group of its own; what is not on this machine is skipped with its name.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from autos.local.pdpj.control import Failure, FailureKind
from shared.domain.cnj import ProcessNumber
from shared.events.flow import PUBLIC
from shared.events.topics import EVENTS
from shared.events.webhook_events import WebhookAttemptFailed
from tests.e2e.journey import ask
from tests.e2e.subscribers import LANGUAGES, NotThere, Place, Subscriber, Written, command, place, records
from tests.product import Product
from tests.support import wait_until

_COMPLETED: Final = "urn:autos:events:ProcessCompleted:1"
_ODD: Final[tuple[tuple[dict[str, str], bytes, str], ...]] = (
    ({"ce_dataschema": _COMPLETED}, b"{not json", "unreadable"),
    ({"ce_dataschema": _COMPLETED}, b'{"job_id": "5"}', "invalid"),
    ({"ce_dataschema": "urn:autos:events:ProcessCompleted:2"}, b"{}", "unknown"),
    ({}, b"{}", "unknown"),
)
"""Records that no service of ours writes: headers, value, and the problem that a consumer names."""


@dataclass
class Story:
    """What was done while the consumers ran."""

    first: ProcessNumber
    second: ProcessNumber
    second_asked_at: datetime
    odd_topic: str
    written: dict[Place, Written]
    """Every record of the public topics."""
    subscribers: dict[str, Subscriber]
    missing: dict[str, str]
    committed: dict[str, dict[tuple[str, int], int]]
    """By language: what the group had committed when its consumer was killed."""
    statuses: dict[str, int]
    """By language: how it ended when it was asked to."""

    def of(self, language: str) -> Subscriber:
        if language in self.missing:
            pytest.skip(self.missing[language])
        return self.subscribers[language]


@pytest.fixture(scope="module")
def story(
    product: Product, process_number: Callable[[], ProcessNumber], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Story]:
    kafka = product.stack()["kafka"]
    subscribers: dict[str, Subscriber] = {}
    missing: dict[str, str] = {}
    for language in LANGUAGES:
        folder = tmp_path_factory.mktemp(language)
        try:
            group = f"subscriber.{language}.{uuid.uuid4()}"
            subscribers[language] = Subscriber(language, kafka, group, folder, command(language, folder))
        except NotThere as error:
            missing[language] = str(error)
    odd = _odd_topic(kafka)
    first, second = process_number(), process_number()
    told = Story(first, second, datetime.now(UTC), odd, {}, subscribers, missing, {}, {})
    try:
        _live(product, told)
        yield told
    finally:
        for subscriber in subscribers.values():
            subscriber.kill()
        admin = AdminClient({"bootstrap.servers": kafka})
        admin.delete_topics([odd])[odd].result(60)


def _odd_topic(kafka: str) -> str:
    """A topic of one partition with records that are not as they should be, and their problems in order."""
    name = f"odd.{uuid.uuid4()}"
    # Kept until the answer is there: without its client a request ends.
    admin = AdminClient({"bootstrap.servers": kafka})
    admin.create_topics([NewTopic(name, 1, 1)])[name].result(60)
    producer = Producer({"bootstrap.servers": kafka})
    for headers, value, _ in _ODD:
        producer.produce(name, value, headers=[*headers.items()])
    assert producer.flush(60) == 0
    return name


def _live(product: Product, story: Story) -> None:
    """Two cases: the consumers are killed amid the first one's events, started again, and made to replay the second."""
    running = story.subscribers.values()
    for subscriber in running:
        subscriber.start(*PUBLIC, story.odd_topic)
    failing = [Failure(kind=FailureKind.NO_ACCESS_403, document=1)]
    # The start of a document is told where it takes longer than half a second.
    product.simulator.put_case(story.first, documents=4, size=1000, failures=failing, latency=1.5)
    product.simulator.put_case(story.second, documents=3, size=1000)
    ask(product, story.first, webhook_url=product.receiver.url(f"/subscribe/{story.first}"))
    for subscriber in running:
        wait_until(partial(_has_committed, subscriber), what=f"{subscriber.language} commits")
        subscriber.kill()
        story.committed[subscriber.language] = subscriber.committed()
    _written(product, story.first)
    _note_the_time(story)
    ask(product, story.second, webhook_url=product.receiver.url(f"/subscribe/{story.second}"))
    for subscriber in running:
        subscriber.start(*PUBLIC, story.odd_topic)
    story.written = _written(product, story.second)
    for subscriber in running:
        wait_until(partial(_has_read, subscriber, {*story.written}, 1, 2), what=f"{subscriber.language} has read all")
        subscriber.ask_to_end()
    for subscriber in running:
        story.statuses[subscriber.language] = subscriber.ended()
        subscriber.start(SINCE=story.second_asked_at.isoformat())
    for subscriber in running:
        wanted = {at for at, one in story.written.items() if one.process_number == story.second}
        wait_until(partial(_has_read, subscriber, wanted, 3), what=f"{subscriber.language} has replayed")
        subscriber.kill()


def _has_committed(subscriber: Subscriber) -> bool:
    return bool(subscriber.lines(1) and subscriber.committed())


def _has_read(subscriber: Subscriber, wanted: set[Place], *runs: int) -> bool:
    """Whether it printed all of these, in whichever of the runs."""
    return wanted <= {at for run in runs for at in subscriber.places(run)}


def _written(product: Product, number: str) -> dict[Place, Written]:
    """The records of the public topics, once they hold the last one about a case: that its webhook was delivered."""

    def told() -> dict[Place, Written]:
        found = records(product.stack()["kafka"])
        last = ("autos.webhook.delivered", number)
        return found if any((one.type, one.process_number) == last for one in found.values()) else {}

    return wait_until(told, what=f"the events of {number}")


def _note_the_time(story: Story) -> None:
    """When the second case is asked for; a new millisecond, since SINCE and the broker's times have no finer."""
    before = datetime.now(UTC)
    wait_until(lambda: datetime.now(UTC) - before > timedelta(milliseconds=1))
    story.second_asked_at = datetime.now(UTC)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_event_is_read_and_is_as_its_schema_says(story: Story, language: str) -> None:
    subscriber = story.of(language)
    lines = {place(line): line for run in (1, 2) for line in subscriber.lines(run)}
    # Other tests of this product write records that nobody can read.
    written = {at: one for at, one in story.written.items() if one.process_number in (story.first, story.second)}
    public = {at: line for at, line in lines.items() if at in written}
    assert {at: line.get("id") for at, line in public.items()} == {at: one.id for at, one in written.items()}
    assert [line for line in public.values() if "problem" in line] == []
    types = {line["type"] for line in public.values() if line["event"].get("process_number") == story.first}
    # A receiver that a busy machine keeps waiting fails an attempt, and gets it again.
    assert types - {WebhookAttemptFailed.TYPE} == {
        *(model.TYPE for model in EVENTS["document.events"] if model.__name__ != "JobAborted"),
        "autos.process.completed",
        "autos.webhook.delivered",
    }
    odd = [lines[at]["problem"].partition(":")[0] for at in sorted(lines) if at[0] == story.odd_topic]
    assert odd == [problem for _, _, problem in _ODD]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_killed_consumer_goes_on_where_it_had_committed(story: Story, language: str) -> None:
    subscriber, committed = story.of(language), story.committed
    assert committed[language]
    for topic, partition, offset in subscriber.places(2):
        assert offset >= committed[language].get((topic, partition), 0)
    for run in (1, 2):
        by_partition: dict[tuple[str, int], list[int]] = {}
        for topic, partition, offset in subscriber.places(run):
            # A member that the broker missed for a while reads again from what was committed.
            offsets = by_partition.setdefault((topic, partition), [])
            if offset not in offsets:
                offsets.append(offset)
        assert all(offsets == sorted(offsets) for offsets in by_partition.values())
    assert story.statuses[language] == 0


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_replay_begins_at_a_time(story: Story, language: str) -> None:
    subscriber = story.of(language)
    numbers = {line["event"].get("process_number") for line in subscriber.lines(3)}
    assert story.second in numbers
    assert story.first not in numbers
