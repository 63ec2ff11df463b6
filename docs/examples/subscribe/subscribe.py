"""Follow the public topics from another system: each event once it is safe to forget that it came, none lost.

    pip install --require-hashes -r requirements.txt
    python subscribe.py BOOTSTRAP GROUP [TOPIC ...]

Prints a line of JSON for each record. Put your own work in the place of :func:`handle`. Stop it whenever you like, with
kill -9 too: it goes on from what the group committed. docs/guides/subscribe.md explains every setting.

Environment: SCHEMAS (a folder of the events' JSON Schemas), SINCE (RFC 3339: begin there whatever was committed),
KAFKA_USERNAME, KAFKA_PASSWORD, KAFKA_CA_FILE (SASL_SSL with SCRAM-SHA-512), SESSION_TIMEOUT_MS.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Mapping
from datetime import datetime
from operator import methodcaller
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition
from jsonschema import Draft202012Validator

PUBLIC = ["process.completed", "webhook.events", "document.events"]
SCHEMAS = Path(os.environ.get("SCHEMAS") or Path(__file__).parents[2] / "events")
BATCH = 500
# For a header's name that is no UTF-8 confluent-kafka gives a list with a hole. A call from C sees that and raises
# SystemError; ``message.headers()`` may not, and the loop over the hole ends the process.
headers_of = methodcaller("headers")


def validators() -> dict[str, Draft202012Validator]:
    """By ``$id``, which a record names in its header ce_dataschema."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in SCHEMAS.glob("*.json")]
    return {
        schema["$id"]: Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
        for schema in found
    }


def read(message: Message, known: Mapping[str, Draft202012Validator]) -> dict[str, Any]:
    """The record as a line; ``problem`` says why its event is not to be handled."""
    line: dict[str, Any] = {"topic": message.topic(), "partition": message.partition(), "offset": message.offset()}
    try:
        headers = {name: value.decode() for name, value in headers_of(message) or () if isinstance(value, bytes)}
        line |= {"id": headers.get("ce_id"), "type": headers.get("ce_type")}
        event = json.loads(message.value() or b"")
    except (RecursionError, SystemError, ValueError):
        return line | {"problem": "unreadable"}
    validator = known.get(headers.get("ce_dataschema", ""))
    if validator is None:
        # A type of event, or a major version, that is newer than this program.
        return line | {"problem": "unknown", "event": event}
    wrong = next(validator.iter_errors(event), None)
    return line | {"event": event} | ({"problem": f"invalid: {wrong.message}"} if wrong is not None else {})


def handle(line: Mapping[str, Any]) -> None:
    """Your work. It must bear to be done twice: keep ``id`` in your database, in the transaction of what you change.

    What has a ``problem`` is set aside, not waited for: the records behind it are good.
    """
    print(json.dumps(line), flush=True)  # noqa: T201


def settings(bootstrap_servers: str, group: str) -> dict[str, Any]:
    session = int(os.environ.get("SESSION_TIMEOUT_MS", "45000"))
    config: dict[str, Any] = {
        "bootstrap.servers": bootstrap_servers,
        "group.id": group,
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
        "isolation.level": "read_committed",
        "session.timeout.ms": session,
        "heartbeat.interval.ms": session // 5,
    }
    if os.environ.get("KAFKA_USERNAME"):
        config |= {
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": os.environ["KAFKA_USERNAME"],
            "sasl.password": os.environ["KAFKA_PASSWORD"],
        }
        if os.environ.get("KAFKA_CA_FILE"):
            config["ssl.ca.location"] = os.environ["KAFKA_CA_FILE"]
    return config


def begin_at_since(consumer: Consumer, partitions: list[TopicPartition]) -> None:
    """Replay: of each partition that is assigned the first record that is not older than SINCE."""
    since = int(datetime.fromisoformat(os.environ["SINCE"]).timestamp() * 1000)
    wanted = [TopicPartition(one.topic, one.partition, since) for one in partitions]
    consumer.assign(consumer.offsets_for_times(wanted, timeout=30.0))


def main(bootstrap_servers: str, group: str, *topics: str) -> None:
    stopping: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda given, _: stopping.append(given))
    known = validators()
    consumer = Consumer(settings(bootstrap_servers, group))
    on_assign = {"on_assign": begin_at_since} if os.environ.get("SINCE") else {}
    consumer.subscribe(list(topics) or PUBLIC, **on_assign)
    try:
        while not stopping:
            batch = consumer.consume(BATCH, timeout=0.5)
            for message in batch:
                error = message.error()
                if error is not None:
                    raise KafkaException(error)
                handle(read(message, known))
            if batch:
                # After the work, and for the whole batch: a crash in between repeats it, and loses nothing.
                consumer.commit(asynchronous=False)
    finally:
        consumer.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
