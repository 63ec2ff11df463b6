"""Run inside a service's container, by stdin: tries what it is told at the broker with the service's own settings.

The argument is JSON: topics to ``write``, topics to ``read``, ``groups``, ``transactions`` (ids), and a topic that is
``readable``, to ask for a group's place with. The answer is JSON by the same names: for each of them the name
of the error, or null where it was let in. Nothing of the tests can be imported here.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

from confluent_kafka import OFFSET_STORED, Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

CONFIG: dict[str, Any] = {
    "bootstrap.servers": os.environ["AUTOS_KAFKA_BOOTSTRAP_SERVERS"],
    "log_level": 0,
    "error_cb": lambda error: None,
    **json.loads(os.environ["AUTOS_KAFKA_CONFIG"]),
}
ASKED: dict[str, list[str]] = json.loads(sys.argv[1])
SECONDS = 20.0


def written(topics: list[str]) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    producer = Producer({**CONFIG, "delivery.timeout.ms": 15_000})

    def hear(error: KafkaError | None, message: Message) -> None:
        found[message.topic() or ""] = None if error is None else error.name()

    for topic in topics:
        producer.produce(topic, b"forbidden", on_delivery=hear)
    producer.flush(SECONDS)
    return found


def read(topics: list[str], group: str) -> dict[str, str | None]:
    """Read partition 0, from where the group is or the beginning. An error without a topic is one of the group."""
    found: dict[str, str | None] = {}
    reader = Consumer(
        {
            **CONFIG,
            "group.id": group,
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
        }
    )
    for named in topics:
        # Who may not even see a topic is told so here, and gets no error from a fetch that is never sent.
        unseen = reader.list_topics(named, timeout=10).topics[named].error
        if unseen is not None:
            found[named] = unseen.name()
    first = 0 if group == "autos.probe" else OFFSET_STORED
    reader.assign([TopicPartition(topic, 0, first) for topic in topics if topic not in found])
    deadline = time.monotonic() + SECONDS
    while not set(topics) <= set(found) and time.monotonic() < deadline:
        message = reader.poll(0.2)
        if message is None:
            continue
        error, topic = message.error(), message.topic()
        if topic is not None:
            found.setdefault(topic, None if error is None or error.name() == "_PARTITION_EOF" else error.name())
        elif error is not None and group != "autos.probe":
            found = dict.fromkeys(topics, error.name())
    reader.close()
    return found


def offsets(group: str) -> str | None:
    """Whether it may take a group's place: who may only see how far a group is, is refused when it commits."""
    topic = ASKED["readable"][0]
    answer = read([topic], group).get(topic, "no answer")
    return answer if answer == "GROUP_AUTHORIZATION_FAILED" else committed(topic, group)


def committed(topic: str, group: str) -> str | None:
    committer = Consumer({**CONFIG, "group.id": group, "enable.auto.commit": False})
    try:
        committer.commit(offsets=[TopicPartition(topic, 0, 0)], asynchronous=False)
    except KafkaException as error:
        return str(error.args[0].name())
    finally:
        committer.close()
    return None


def begun(transaction: str) -> str | None:
    producer = Producer({**CONFIG, "transactional.id": transaction})
    try:
        producer.init_transactions(15)
    except KafkaException as error:
        return str(error.args[0].name())
    return None


json.dump(
    {
        "write": written(ASKED["write"]),
        "read": read(ASKED["read"], "autos.probe"),
        "groups": {group: offsets(group) for group in ASKED["groups"]},
        "transactions": {one: begun(one) for one in ASKED["transactions"]},
    },
    sys.stdout,
)
