"""The promises of the consumer runtime, over random completion orders, rebalances, crashes and outages."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from random import Random

from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared.errors import InfrastructureAway, PoisonRecord
from shared.kafka.consumer import dead_letter as dead
from shared.kafka.consumer.gathered_answers import GatherSeconds
from shared.kafka.consumer.handling import Done, Handling
from shared.kafka.consumer.limits import RuntimeLimits
from shared.kafka.consumer.producer_sink import ProducerSink
from shared.kafka.consumer.runtime import ConsumerRuntime
from shared.records import OutgoingRecord, Record
from tests.support import wait_until_async
from tests.unit.shared.kafka.consumer.fake_broker import TOPIC, FakeBroker
from tests.unit.shared.kafka.consumer.fake_consumer import FakeConsumer
from tests.unit.shared.kafka.consumer.fake_producer import FakeProducer

ACTIONS = ["join", "leave", "crash", "lose", "broker away", "refuse commit", "wait"]


class Member:
    """One runtime in the simulated group."""

    def __init__(self, name: str, broker: FakeBroker, random: Random) -> None:
        self.name, self.broker, self.random = name, broker, random
        self.consumer: FakeConsumer | None = None
        self.producer = FakeProducer(broker, random)
        self.running = 0
        self.most = 0
        self.runtime = ConsumerRuntime[Record](
            name,
            consumer=self._make,
            topics=[TOPIC],
            handling=Handling(
                decode=self._decode,
                handler=self._handle,
                dead_letter=self._letter,
                group_of=lambda record: f"{record.offset % 3}",
            ),
            sink=ProducerSink(
                self.producer,  # type: ignore[arg-type]
                gather=random.choice([None, GatherSeconds(0.001, 0.003)]),
            ),
            limits=RuntimeLimits(
                max_in_flight=6,
                per_group=3,
                max_buffered_per_partition=random.choice([2, 5, 50]),
                first_backoff_seconds=0.002,
                commit_seconds=0.003,
                drain_seconds=5,
                shutdown_seconds=5,
                poll_seconds=0.002,
            ),
        )
        self.task = asyncio.get_running_loop().create_task(self.runtime.run())

    def _make(self, on_commit: object) -> FakeConsumer:
        self.consumer = FakeConsumer(self.broker, on_commit)  # type: ignore[arg-type]
        return self.consumer

    @staticmethod
    def _decode(record: Record) -> Record:
        if record.value == b"poison":
            raise PoisonRecord("not_json")
        return record

    @staticmethod
    def _letter(record: Record, error: Exception) -> OutgoingRecord:
        letter = dead.to_topic("dead")(record, error)
        return replace(letter, key=f"{record.partition}/{record.offset}".encode())

    async def _handle(self, record: Record) -> Done:
        self.broker.started(record, self.name)
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await asyncio.sleep(self.random.random() * (0.02 if record.value == b"slow" else 0.002))
            if record.value == b"away" and self.random.random() < 0.7:
                raise InfrastructureAway("database", retry_in=0.004)
            if record.value == b"broken" and self.random.random() < 0.3:
                raise LookupError("a bug")
        finally:
            self.running -= 1
            self.broker.ended(record)
        key = f"{record.partition}/{record.offset}".encode()
        return Done((OutgoingRecord("out", key, b""),))

    async def leave(self) -> None:
        self.runtime.stop()
        await self.task

    async def crash(self) -> None:
        """As by SIGKILL: nothing more is committed or written; the group hears of it later."""
        self.producer.dead = True
        if self.consumer is not None:
            self.consumer.crashed = True
        self.task.cancel()
        await asyncio.wait({self.task})
        if self.consumer is not None:
            self.consumer.leave()


@st.composite
def _logs(draw: st.DrawFn) -> list[list[tuple[int, bytes]]]:
    kinds = st.sampled_from([b"", b"", b"", b"", b"slow", b"slow", b"away", b"broken", b"poison"])
    logs = []
    for _ in range(draw(st.integers(1, 4))):
        values = draw(st.lists(kinds, max_size=30))
        offset = draw(st.integers(0, 5))
        log = []
        for value in values:
            log.append((offset, value))
            offset += draw(st.sampled_from([1, 1, 1, 1, 2, 7]))
        logs.append(log)
    return logs


async def _simulate(  # noqa: C901
    logs: list[list[tuple[int, bytes]]], actions: list[str], random: Random, *, eager: bool
) -> None:
    broker = FakeBroker(logs, eager=eager)
    members = [Member("m0", broker, random)]
    ungentle = 0
    joined = 1
    for action in actions:
        member = random.choice(members)
        if action == "join" and len(members) < 3:
            members.append(Member(f"m{joined}", broker, random))
            joined += 1
        elif action == "leave" and len(members) > 1:
            members.remove(member)
            await member.leave()
        elif action == "crash":
            members.remove(member)
            await member.crash()
            ungentle += 1
            if not members:
                members.append(Member(f"m{joined}", broker, random))
                joined += 1
        elif action == "lose" and member.consumer is not None:
            broker.lose(member.consumer)
            ungentle += 1
        elif action == "broker away":
            member.producer.away = 3
        elif action == "refuse commit":
            broker.refuse_commits = 2
        await asyncio.sleep(random.random() * 0.02)
    everything = broker.everything
    ends = {key: (log[-1][0] + 1, "") for key, log in broker.logs.items() if log}

    def over() -> bool:
        return broker.finished >= everything and broker.committed.items() >= ends.items()

    try:
        await wait_until_async(over, what="every record is finished and committed")
    finally:
        for member in members:
            await member.leave()
    for member in members:
        assert member.most <= 6
    poison = {f"{n}/{offset}".encode() for n, log in enumerate(logs) for offset, value in log if value == b"poison"}
    assert poison <= {key for topic, key in broker.written if topic == "dead"}
    # A member that lost its partitions without knowing may still be at work on a record that another has begun.
    assert [violation for violation in broker.violations if not (ungentle and "is handled by" in violation)] == []
    # What waits for a broker that is away is not finished: whoever gets the partition then handles it again.
    handed_over = "broker away" in actions and bool({"join", "leave"} & set(actions))
    if not ungentle and not handed_over:
        calm = [(key, o) for key, log in broker.logs.items() for o, value in log if value in (b"", b"slow")]
        assert [at for at in calm if broker.handled[at] != 1] == []


@settings(max_examples=40, deadline=None)
@given(_logs(), st.lists(st.sampled_from(ACTIONS), max_size=8), st.integers(0, 2**32), st.booleans())
@example([[], [(0, b"")]], ["broker away", "join"], 0, False)
@example(
    [[(1, b""), (8, b"broken"), (9, b"")], [(5, b""), (6, b"poison"), (7, b""), (8, b"poison")]],
    ["join", "lose"],
    80,
    False,
)
def test_nothing_is_lost_and_no_commit_passes_an_unfinished_record(
    logs: list[list[tuple[int, bytes]]], actions: list[str], seed: int, eager: bool
) -> None:
    asyncio.run(_simulate(logs, actions, Random(seed), eager=eager))


@settings(max_examples=15, deadline=None)
@given(
    _logs(),
    st.lists(st.sampled_from(["join", "leave", "wait"]), min_size=2, max_size=8),
    st.integers(0, 2**32),
    st.booleans(),
)
def test_no_record_is_handled_twice_when_partitions_are_given_up_in_order(
    logs: list[list[tuple[int, bytes]]], actions: list[str], seed: int, eager: bool
) -> None:
    asyncio.run(_simulate(logs, actions, Random(seed), eager=eager))
