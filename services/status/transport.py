"""What Faust's aiokafka driver does not offer by a setting: read only what is committed, and outlive the broker.

JobPlanned is written in Kafka transactions, but Faust reads ``read_uncommitted`` unless it produces in transactions
itself; and its consumer crashes the application when an offset commit fails, which a broker's restart makes happen.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

from aiokafka.errors import IllegalStateError, KafkaError  # type: ignore[import-untyped]
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread, Consumer, Transport

FAUST_LOG: Final = logging.getLogger("faust")

_log = logging.getLogger(__name__)


class ReadCommittedThread(AIOKafkaConsumerThread):
    """Faust's consumer thread with ``isolation_level=read_committed`` and commits that may fail."""

    logger = FAUST_LOG

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        # aiokafka hands it to its fetcher at the start of the consumer, which comes after this.
        consumer._isolation_level = "read_committed"
        return consumer

    async def _commit(self, offsets: Mapping[Any, int]) -> bool:
        consumer = self._ensure_consumer()
        held = consumer.assignment()
        try:
            await consumer.commit({tp: offset for tp, offset in offsets.items() if tp in held})
        except (KafkaError, IllegalStateError) as error:
            # The next commit says it again; what is not committed is applied twice, to no effect.
            _log.info("offsets not committed", extra={"error": type(error).__name__})
            return False
        return True


class ReadCommittedConsumer(Consumer):
    """Faust's consumer on that thread."""

    logger = FAUST_LOG

    def _new_consumer_thread(self) -> ReadCommittedThread:
        return ReadCommittedThread(self, loop=self.loop, beacon=self.beacon)


class ReadCommittedTransport(Transport):
    """Faust's transport with that consumer."""

    Consumer = ReadCommittedConsumer
