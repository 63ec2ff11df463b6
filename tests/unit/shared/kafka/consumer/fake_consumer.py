"""A member of the group in memory, with the consumer's interface (fake_broker.py)."""

from __future__ import annotations

import time
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from shared.kafka.consumer.assigned_partitions import Key
from shared.kafka.consumer.client import CommitCallback
from tests.unit.shared.kafka.consumer.fake_broker import TOPIC, FakeBroker


class FakeMessage:
    def __init__(self, key: Key, offset: int, value: bytes) -> None:
        self._key, self._offset, self._value = key, offset, value

    def topic(self) -> str:
        return self._key[0]

    def partition(self) -> int:
        return self._key[1]

    def offset(self) -> int:
        return self._offset

    def key(self) -> bytes:
        return b"k"

    def value(self) -> bytes:
        return self._value

    def headers(self) -> list[tuple[str, bytes]]:
        return [("ce_type", b"test")]

    def timestamp(self) -> tuple[int, int]:
        return (1, 0)

    def error(self) -> None:
        return None


class FakeConsumer:
    """One member. A pause outlives the loss of its partition, as in librdkafka.

    ``crashed`` makes it deaf and mute, as if its process had been killed.
    """

    def __init__(self, broker: FakeBroker, on_commit: CommitCallback) -> None:
        self._broker = broker
        self._on_commit = on_commit
        self._answers: list[tuple[KafkaError | None, list[TopicPartition]]] = []
        self.positions: dict[Key, int] = {}
        self.paused: set[Key] = set()
        self._turn = 0
        self.lost: set[Key] = set()
        self.crashed = False
        self.generation = -1

    def subscribe(self, topics: list[str], *, on_assign: Any, on_revoke: Any, on_lost: Any) -> None:
        assert topics == [TOPIC]
        self._assigned, self._revoked, self._gone = on_assign, on_revoke, on_lost
        with self._broker.lock:
            self._broker.members.append(self)
            self._broker.generation += 1

    def poll(self, timeout: float) -> FakeMessage | None:
        self._answer_commits()
        if self.crashed:
            time.sleep(timeout)
            return None
        if timeout > 0:
            self._rebalance(timeout)
        message = self._read()
        if message is None and timeout > 0:
            time.sleep(timeout)
            message = self._read()
        return message

    def _rebalance(self, timeout: float) -> None:
        broker = self._broker
        with broker.lock:
            lost, self.lost = self.lost, set()
            for key in lost:
                self.positions.pop(key, None)
        if lost:
            self._gone(self, [TopicPartition(*key) for key in lost])
        with broker.lock:
            mine = {key for key, owner in broker.owner.items() if owner is self}
            generation = broker.generation
            wanted = broker.wanted(self) if not broker.eager or generation == self.generation else set()
        if mine - wanted:
            self.give_up(mine - wanted)
        if broker.eager and not self._joins(generation, timeout):
            return
        with broker.lock:
            if self.lost:
                # The session ended meanwhile: a member hears of what it lost before it gets anything anew.
                return
            free = {key for key in broker.wanted(self) if key not in broker.owner}
            broker.owner |= dict.fromkeys(free, self)
        if free:
            self._assigned(self, [TopicPartition(*key) for key in free])

    def give_up(self, keys: set[Key]) -> None:
        """Let these partitions be revoked; whoever wants them can have them then."""
        self._revoked(self, [TopicPartition(*key) for key in keys])
        with self._broker.lock:
            for key in keys:
                self.positions.pop(key, None)
                if self._broker.owner.get(key) is self:
                    del self._broker.owner[key]

    def _joins(self, generation: int, timeout: float) -> bool:
        """Join a generation of the group; whether all have joined it before this poll is over, as in librdkafka."""
        self.generation = generation
        deadline = time.monotonic() + timeout
        while True:
            with self._broker.lock:
                if self._broker.generation != generation:
                    return False
                if self._broker.joined():
                    return True
            if time.monotonic() > deadline:
                return False
            time.sleep(timeout / 10)

    def _read(self) -> FakeMessage | None:
        with self._broker.lock:
            keys = sorted(key for key in self.positions if key not in self.paused)
            self._turn += 1
            for n in range(len(keys)):
                key = keys[(n + self._turn) % len(keys)]
                for offset, value in self._broker.logs[key]:
                    if offset >= self.positions[key]:
                        self.positions[key] = offset + 1
                        return FakeMessage(key, offset, value)
        return None

    def _answer_commits(self) -> None:
        answers, self._answers = self._answers, []
        for error, partitions in answers:
            self._on_commit(error, partitions)

    def pause(self, partitions: list[TopicPartition]) -> None:
        self.paused |= {(p.topic, p.partition) for p in partitions}

    def resume(self, partitions: list[TopicPartition]) -> None:
        self.paused -= {(p.topic, p.partition) for p in partitions}

    def committed(self, partitions: list[TopicPartition], timeout: float) -> list[TopicPartition]:
        found = []
        for item in partitions:
            offset, metadata = self._broker.committed.get((item.topic, item.partition), (-1001, ""))
            found.append(TopicPartition(item.topic, item.partition, offset, metadata=metadata))
        return found

    def decided(self, partitions: list[TopicPartition], timeout: float) -> list[TopicPartition]:
        return self.committed(partitions, timeout)

    def commit(self, *, offsets: list[TopicPartition], asynchronous: bool) -> Any:
        error = None
        with self._broker.lock:
            # A commit may be late: the group ignores one for a partition that the member lost.
            mine = [item for item in offsets if self._broker.owner.get((item.topic, item.partition)) is self]
            if self.crashed:
                mine = []
            elif self._broker.refuse_commits > 0:
                self._broker.refuse_commits -= 1
                error = KafkaError(KafkaError.NOT_COORDINATOR)
            else:
                self._broker.commit(mine, self)
        if asynchronous:
            self._answers.append((error, offsets))
        elif error is not None:
            raise KafkaException(error)
        return offsets

    def incremental_assign(self, partitions: list[TopicPartition]) -> None:
        for item in partitions:
            self.positions[item.topic, item.partition] = max(item.offset, 0)

    def get_watermark_offsets(self, partition: TopicPartition, timeout: float, cached: bool) -> tuple[int, int]:
        log = self._broker.logs[partition.topic, partition.partition]
        return (0, log[-1][0] + 1 if log else 0)

    def consumer_group_metadata(self) -> object:
        return object()

    def close(self) -> None:
        if not self.crashed:
            with self._broker.lock:
                mine = [TopicPartition(*key) for key, owner in self._broker.owner.items() if owner is self]
            self._revoked(self, mine)
        self.leave()

    def leave(self) -> None:
        """Out of the group, by its own will or when its session is over."""
        broker = self._broker
        with broker.lock:
            if self in broker.members:
                broker.members.remove(self)
                broker.generation += 1
            broker.owner = {key: owner for key, owner in broker.owner.items() if owner is not self}
