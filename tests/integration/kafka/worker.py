"""A process to be killed: reads a topic and writes two records for each, in transactions or at least once.

``python worker.py BOOTSTRAP TOPIC GROUP NAME transactional|stuck|plain PROTOCOL``; every record that it handles is a
line on its standard output. ``stuck``: the client of its transactions does not return, as librdkafka's sometimes.
"""

from __future__ import annotations

import asyncio
import random
import signal
import sys
import threading
from typing import Any

import confluent_kafka

from services.downloader.planner.transactional_sink import TransactionalSink
from shared.kafka.config import consumer_config, transactional_config
from shared.kafka.consumer import dead_letter as dead
from shared.kafka.consumer.client import kafka_consumer
from shared.kafka.consumer.handling import Done, Handling
from shared.kafka.consumer.limits import RuntimeLimits
from shared.kafka.consumer.producer_sink import ProducerSink
from shared.kafka.consumer.runtime import ConsumerRuntime
from shared.kafka.consumer.sink import Sink
from shared.kafka.metrics import KafkaMetrics
from shared.kafka.producer import Producer
from shared.records import OutgoingRecord, Record


class Stuck(confluent_kafka.Producer):
    """Its transactions wait for ever."""

    def send_offsets_to_transaction(self, *_arguments: Any) -> None:
        threading.Event().wait()


def sink_of(kind: str, producer: Producer, bootstrap: str, transactional_id: str) -> Sink:
    if kind == "plain":
        return ProducerSink(producer)
    if kind == "transactional":
        return TransactionalSink(bootstrap, transactional_id)
    client = Stuck(transactional_config(bootstrap, transactional_id, timeout_ms=1_000))
    return TransactionalSink(bootstrap, transactional_id, timeout_ms=1_000, client=client)


async def main(bootstrap: str, topic: str, group: str, name: str, kind: str, protocol: str) -> None:
    async def handle(record: Record) -> Done:
        value = record.value or b""
        # Records are finished out of their order.
        await asyncio.sleep(random.random() * 0.01)
        sys.stdout.write(f"{value.decode()}\n")
        sys.stdout.flush()
        made = [OutgoingRecord(f"{topic}.out", value + b"/%d" % n, value) for n in range(2)]
        return Done(iter(made)) if int(value) % 2 else Done(made)

    producer = Producer(bootstrap)
    metrics = KafkaMetrics()
    runtime = ConsumerRuntime(
        name,
        consumer=kafka_consumer(consumer_config(bootstrap, group, group_protocol=protocol)),
        topics=[topic],
        handling=Handling(decode=lambda record: record, handler=handle, dead_letter=dead.to_topic(f"{topic}.dead")),
        sink=sink_of(kind, producer, bootstrap, f"{group}.{name}"),
        limits=RuntimeLimits(max_in_flight=16),
        metrics=metrics,
    )
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, runtime.stop)
    await runtime.run()
    producer.close()
    for metric in (metrics.partitions_ended, metrics.commit_failures):
        for sample in next(iter(metric.collect())).samples:
            if sample.name.endswith("_total") and sample.value and sample.labels.get("how") != "revoked":
                sys.stderr.write(f"{sample.name} {sample.labels} {sample.value:g}\n")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
