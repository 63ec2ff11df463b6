"""Follow the public topic ``process.completed`` from another system.

    python docs/examples/subscribe_completed.py localhost:9092 my-system

Events are CloudEvents in Kafka's binary mode: the attributes are headers (``ce_type``, ``ce_id``, ...), the value is
JSON. Delivery is at least once; ``ce_id`` is the same when an event is repeated.
"""

from __future__ import annotations

import json
import sys

from confluent_kafka import Consumer, KafkaException


def main(bootstrap_servers: str, group: str) -> None:
    """Print each completed case until Ctrl-C; the offset is committed after the event was handled."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap_servers,
            "group.id": group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
        }
    )
    consumer.subscribe(["process.completed"])
    try:
        while True:
            message = consumer.poll(1.0)
            if message is None:
                continue
            if message.error():
                raise KafkaException(message.error())
            headers = dict(message.headers() or [])
            if headers.get("ce_type") == b"autos.process.completed":
                event = json.loads(message.value())
                print(headers["ce_id"].decode(), event["process_number"], event["status"])  # noqa: T201
            consumer.commit(message=message, asynchronous=False)
    except KeyboardInterrupt:
        pass
    finally:
        consumer.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
