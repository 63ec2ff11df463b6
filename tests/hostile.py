"""Records that nobody should write, as bytes: a producer that writes header names that are not UTF-8, and a harvest."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import orjson
from aiokafka import AIOKafkaProducer  # type: ignore[import-untyped]
from aiokafka.errors import KafkaError  # type: ignore[import-untyped]
from aiokafka.producer import message_accumulator, producer  # type: ignore[import-untyped]
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy  # type: ignore[import-untyped]

from shared.events.envelope import payload
from shared.events.topics import EVENTS
from tools.schemas.samples import sample

TIMES: Final = (
    b"0001-01-01T00:00:00+01:00",
    b"9999-12-31T23:59:59-23:59",
    b"0001-01-01T00:00:00+23:59",
    b"9999-12-31T23:59:59Z",
    b"infinity",
    b"\xff",
    b"",
)
STAMPS: Final = (None, None, 0, -1, -(10**16), 10**16, 1_700_000_000_000)
VALUES: Final = (
    None,
    b"",
    b"null",
    b"[]",
    b"{",
    b"NaN",
    b"1e999",
    b"\xff\xfe{}",
    b"[" * 100_000,
    b'{"a":' * 50_000,
    b'{"job_id":"\\ud800"}',
)
FIELDS: Final[tuple[object, ...]] = (
    None,
    True,
    -1,
    2**31,
    2**63 - 1,
    1e308,
    "",
    "\x00",
    "x" * 500_000,
    [],
    {},
    *(moment.decode() for moment in TIMES if moment != b"\xff"),
)


@dataclass(frozen=True)
class RawRecord:
    """A record as bytes; a header's value may be missing, ``timestamp_ms`` None is the producer's clock."""

    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[bytes, bytes | None], ...] = ()
    timestamp_ms: int | None = None


class _Name(str):
    """A header's name that is written as the bytes given."""

    raw: bytes

    def encode(self, *_: object) -> bytes:
        return self.raw


def _name(raw: bytes) -> _Name:
    name = _Name("x" * len(raw))
    name.raw = raw
    return name


def harvest(topic: str, count: int, seed: int = 1) -> Iterator[RawRecord]:
    """Hostile records for a topic: what is no event at all, and its events with fields, headers and times spoilt."""
    chances = random.Random(seed)
    models = EVENTS[topic]
    for number in range(count):
        model = chances.choice(models)
        fields = orjson.loads(payload(sample(model)))
        for field in chances.sample(sorted(fields), chances.randint(0, 2)):
            fields[field] = chances.choice(FIELDS)
        value = orjson.dumps(fields) if chances.random() < 0.7 else chances.choice(VALUES)
        headers: list[tuple[bytes, bytes | None]] = [(b"ce_type", model.TYPE.encode())]
        if chances.random() < 0.6:
            headers.append((b"ce_time", chances.choice(TIMES)))
        match number % 10:
            case 0:
                headers.append((b"\xff\xfe", b"1"))
            case 1:
                headers += [(b"ce_type", None), (b"traceparent", None)]
            case 2:
                headers += [(b"ce_time", b"1"), (b"ce_type", b"\xff")]
            case 3:
                headers += [(b"a\x00b", b"\x00"), (b"", b"")]
            case 4:
                headers.append((b"big", b"h" * 300_000))
        # Without a value it needs a key: the producer has no other word for "there is nothing".
        key = chances.choice([b"" if value is None else None, b"", b"\xff\x00", b"k" * 1_000])
        yield RawRecord(key, value, tuple(headers), chances.choice(STAMPS))


@contextmanager
def _as_bytes() -> Iterator[None]:
    """Have aiokafka write batches in Python, where a header's name is encoded by itself."""
    quick = message_accumulator.DefaultRecordBatchBuilder
    for module in (message_accumulator, producer):
        module.DefaultRecordBatchBuilder = _DefaultRecordBatchBuilderPy
    try:
        yield
    finally:
        for module in (message_accumulator, producer):
            module.DefaultRecordBatchBuilder = quick


async def pour(bootstrap_servers: str, records: Mapping[str, Iterable[RawRecord]]) -> int:
    """Write records, by topic; how many the broker took (it refuses some times)."""
    taken = 0
    with _as_bytes():
        writer = AIOKafkaProducer(bootstrap_servers=bootstrap_servers, max_request_size=2_000_000)
        await writer.start()
        try:
            for topic, wanted in records.items():
                for record in wanted:
                    headers = [(_name(name), value) for name, value in record.headers]
                    try:
                        sent = await writer.send(
                            topic, record.value, key=record.key, headers=headers, timestamp_ms=record.timestamp_ms
                        )
                        await sent
                    except KafkaError:
                        continue
                    taken += 1
        finally:
            await writer.stop()
    return taken
