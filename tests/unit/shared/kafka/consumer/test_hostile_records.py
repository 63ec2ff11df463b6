"""Whatever a record holds, each consumer decodes it or calls it poison: nothing else comes out, and nothing is lost."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.downloader.fetcher import task as fetching
from services.downloader.planner import task as planning
from services.status.batch_writer import decode_all
from services.status.projection.project import project
from services.status.projection.rows import KnownRows
from services.status.projection.urgency import RemainingDocuments
from shared.clock import EARLIEST, LATEST, plausible, plausible_ms
from shared.errors import PoisonRecord
from shared.events.document_events import JobPlanned
from shared.events.envelope import decoder, payload
from shared.events.process_completed import ProcessCompleted
from shared.events.topics import EVENTS
from shared.events.webhook_retry import WebhookRetry
from shared.events.webhook_subscribed import EndpointEnableRequested, RedeliveryRequested, WebhookSubscribed
from shared.kafka.consumer.client import record_of
from shared.kafka.consumer.dead_letter import to_topic
from shared.records import Record
from sources.registry import Courts
from tools.schemas.samples import sample as sample_of

_notified = decoder(ProcessCompleted, WebhookSubscribed, RedeliveryRequested, EndpointEnableRequested)
_woken = decoder(WebhookRetry)


def _planner(record: Record) -> None:
    task = planning.decode(record)
    _usable(planning.group_of(task, Courts({}).source_of), task.not_before)


def _fetcher(record: Record) -> None:
    task = fetching.decode(record)
    _usable(task.group, task.not_before)


def _notifier(record: Record) -> None:
    _usable(_notified(record).key(), None)


def _retries(record: Record) -> None:
    _usable("", _woken(record).not_before.timestamp())


def _usable(group: str, due: float | None) -> None:
    assert isinstance(group, str)
    assert due is None or math.isfinite(due)


DECODERS: Final[dict[str, Callable[[Record], None]]] = {
    "planner": _planner,
    "fetcher": _fetcher,
    "notifier": _notifier,
    "notifier-retry": _retries,
}
TYPES: Final = {model.TYPE: sample_of(model) for models in EVENTS.values() for model in models}
EDGES: Final[list[Any]] = [
    None, True, -1, 0, 2**31, 2**63, -(2**63), 10**400, 1.5, 1e308, "", "\x00", "\ud800", "x" * 5_000, [], {}, [[[]]],
    "0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z",
    "2026-01-01T00:00:00", "infinity", "-infinity", "epoch", "NaN", "24:00", "1e400",
    "00000000-0000-0000-0000-000000000000",
]  # fmt: skip


def _json(value: Any) -> bytes:
    """As orjson writes it, and what it refuses as another client may: long integers, lone surrogates."""
    try:
        return orjson.dumps(value)
    except TypeError:
        import json

        return json.dumps(value).encode("utf-8", "surrogatepass")


@st.composite
def nearly(draw: st.DrawFn) -> tuple[str, bytes]:
    """A type and the JSON of one of its events in which some fields hold something else, or are missing."""
    name = draw(st.sampled_from(sorted(TYPES)))
    fields = orjson.loads(payload(TYPES[name]))
    for field in draw(st.sets(st.sampled_from(sorted(fields)), max_size=3)):
        fields[field] = draw(st.sampled_from(EDGES) | st.text(max_size=8) | st.integers() | st.floats(allow_nan=False))
    for field in draw(st.sets(st.sampled_from(sorted(fields)), max_size=1)):
        del fields[field]
    return name, _json(fields)


values = st.one_of(
    st.none(),
    st.binary(max_size=64),
    st.sampled_from([b"null", b"[]", b"NaN", b"1e999", b"[" * 100_000, b'{"a":' * 50_000, b'"\\ud800"', b"\xff{}"]),
)
times = st.one_of(
    st.binary(max_size=30),
    st.datetimes().map(lambda moment: moment.isoformat().encode()),
    st.sampled_from([b"0001-01-01T00:00:00+01:00", b"9999-12-31T23:59:59-23:59", b"0001-01-01T00:00:00+23:59", b""]),
)
headers = st.dictionaries(st.text(max_size=8), st.binary(max_size=16), max_size=4)
stamps = st.one_of(st.integers(-(2**63), 2**63 - 1), st.sampled_from([0, -1, 10**16, -(10**16), 1_700_000_000_000]))


@st.composite
def records(draw: st.DrawFn) -> Record:
    found = draw(headers)
    if draw(st.booleans()):
        found["ce_time"] = draw(times)
    if draw(st.booleans()):
        name, value = draw(nearly())
        found["ce_type"] = name.encode()
    else:
        name, value = draw(st.sampled_from(sorted(TYPES))), draw(values)  # type: ignore[assignment]
        found["ce_type"] = draw(st.sampled_from([name.encode(), b"", b"\xff", name.encode() + b"x"]))
    unreadable = draw(st.sampled_from([None, None, None, "unreadable_headers"]))
    return Record("t", 0, 0, draw(st.none() | st.binary(max_size=8)), value, found, draw(stamps), unreadable)


@pytest.mark.parametrize("name", DECODERS)
@given(record=records())
@settings(max_examples=150, deadline=None)
def test_each_consumer_decodes_a_record_or_calls_it_poison(name: str, record: Record) -> None:
    try:
        DECODERS[name](record)
    except PoisonRecord as poison:
        assert poison.reason.isidentifier()
        letter = to_topic("dead")(record, poison)
        assert letter.value == record.value
        assert all(isinstance(value, bytes) for value in letter.headers.values())


@given(batch=st.lists(records(), max_size=6))
@settings(max_examples=200, deadline=None)
def test_the_projection_takes_each_record_or_sets_it_aside(batch: list[Record]) -> None:
    occurrences, poison = decode_all(batch)
    assert len(occurrences) + len(poison) == len(batch)
    remaining = RemainingDocuments()
    for record in batch:
        remaining.may_end(record.headers["ce_type"], record.key or b"", record.value or b"")
    changes = project(KnownRows(), occurrences)
    moments = [
        moment
        for row in (*changes.jobs.values(), *changes.documents.values())
        for moment in row
        if isinstance(moment, datetime)
    ]
    assert all(EARLIEST <= moment < LATEST for moment in moments)


@given(moment=st.datetimes(timezones=st.timezones()) | st.datetimes(), stamp=st.integers())
def test_a_time_is_usable_or_none(moment: datetime, stamp: int) -> None:
    for found in (plausible(moment), plausible_ms(stamp)):
        assert found is None or (found.tzinfo is UTC and EARLIEST <= found < LATEST)


@pytest.mark.parametrize("field", ["at", "created_at"])
@pytest.mark.parametrize("written", ["0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00", "0001-01-01T00:00:00Z"])
def test_a_time_that_nobody_can_mean_is_poison_and_not_an_error(field: str, written: str) -> None:
    for sample in TYPES.values():
        fields = orjson.loads(payload(sample))
        if field not in type(sample).model_fields:
            continue
        record = Record("t", 0, 0, b"", orjson.dumps({**fields, field: written}), {"ce_type": sample.TYPE.encode()})
        with pytest.raises(PoisonRecord, match=f"wrong_schema: {field}"):
            decoder(type(sample))(record)


def test_a_broken_time_falls_back_to_the_brokers_and_without_either_is_poison() -> None:
    sample = TYPES[JobPlanned.TYPE]
    headers = {"ce_type": JobPlanned.TYPE.encode(), "ce_time": b"0001-01-01T00:00:00+01:00"}
    good = Record("t", 0, 1, b"", payload(sample), headers, 1_700_000_000_000)
    none = Record("t", 0, 2, b"", payload(sample), headers, 10**16)
    occurrences, poison = decode_all([good, none])
    assert [item.at for item in occurrences] == [datetime.fromtimestamp(1_700_000_000, UTC)]
    assert [(letter.record.offset, letter.reason) for letter in poison] == [(2, "no_time")]


class _Message:
    """A message of confluent-kafka whose headers cannot be read."""

    def __init__(self, error: BaseException | None) -> None:
        self._error = error

    def headers(self) -> list[tuple[str, bytes | None]]:
        if self._error is not None:
            raise self._error
        return [("a", b"1"), ("b", None), ("a", b"2")]

    def __getattr__(self, name: str) -> Callable[[], Any]:
        return {
            "topic": lambda: "t",
            "partition": lambda: 0,
            "offset": lambda: 7,
            "key": lambda: None,
            "value": lambda: b"{}",
            "timestamp": lambda: (1, 5),
        }[name]


def test_headers_without_value_are_none_and_of_one_name_the_last_counts() -> None:
    assert record_of(_Message(None)).headers == {"a": b"2"}


def test_headers_that_cannot_be_read_make_the_record_poison_and_not_the_consumer_end() -> None:
    broken = record_of(_Message(SystemError("returned a result with an exception set")))
    assert broken.offset == 7
    for decode in DECODERS.values():
        with pytest.raises(PoisonRecord, match="unreadable_headers"):
            decode(broken)
