"""Each topic is shared out by itself: a service that is scaled must not be held up by the one that got most of it."""

from __future__ import annotations

from collections import Counter

from confluent_kafka import Consumer

from shared.kafka.admin import ensure_topics
from shared.kafka.config import consumer_config
from shared.records import TopicSpec
from tests.integration.kafka.conftest import Topic
from tests.support import wait_until


def shares(consumers: list[Consumer]) -> list[Counter[str]]:
    """How many partitions of each topic each of them has, as of now."""
    for consumer in consumers:
        consumer.poll(0.05)
    return [Counter(partition.topic for partition in consumer.assignment()) for consumer in consumers]


def test_two_members_have_half_of_each_topic_also_when_the_second_comes_later(bench: Topic) -> None:
    work, *retries = topics = {f"{bench.topic}.work": 12, **{f"{bench.topic}.retry.{tier}": 4 for tier in range(3)}}
    ensure_topics(bench.bootstrap, [TopicSpec(name, partitions) for name, partitions in topics.items()])
    consumers: list[Consumer] = []
    try:
        for members in (1, 2):
            consumers.append(Consumer(consumer_config(bench.bootstrap, bench.group)))
            consumers[-1].subscribe(list(topics))
            half = Counter({name: partitions // members for name, partitions in topics.items()})
            wait_until(lambda half=half: all(one == half for one in shares(consumers)), what=f"shares of {members}")  # type: ignore[misc]
    finally:
        for consumer in consumers:
            consumer.close()
    assert half[work] == 6 and [half[retry] for retry in retries] == [2, 2, 2]
