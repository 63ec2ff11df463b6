"""A producer that writes to the broker in memory (fake_broker.py)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

from shared.errors import InfrastructureAway
from shared.records import OutgoingRecord
from tests.unit.shared.kafka.consumer.fake_broker import FakeBroker


class FakeProducer:
    """Acknowledges after a while, or is away for some sends."""

    def __init__(self, broker: FakeBroker, random: Any) -> None:
        self._broker = broker
        self._random = random
        self.away = 0
        self.dead = False

    async def send_together(self, answers: Sequence[Iterable[OutgoingRecord]]) -> list[Exception | None]:
        try:
            await self.send([record for records in answers for record in records])
        except InfrastructureAway as away:
            return [away] * len(answers)
        return [None] * len(answers)

    async def send(self, records: Iterable[OutgoingRecord]) -> None:
        sent = list(records)
        await asyncio.sleep(self._random.random() * 0.002)
        if self.away > 0:
            self.away -= 1
            raise InfrastructureAway("kafka", retry_in=0.003)
        if self.dead:
            raise InfrastructureAway("kafka", retry_in=60)
        self._broker.write(sent)
