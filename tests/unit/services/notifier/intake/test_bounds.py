"""The bounds of what the notifier takes from Kafka: at each it is taken, beyond it is cut or a dead letter."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import PoisonRecord
from shared.events.envelope import MAX_COUNT, Event, decoder
from shared.events.process_completed import ProcessCompleted
from shared.events.webhook_retry import WebhookRetry
from shared.events.webhook_subscribed import WebhookSubscribed
from shared.records import Record

ID = "00000000-0000-4000-8000-000000000000"
NUMBER = "1000145-91.2023.8.26.0597"
NOW = "2026-01-01T00:00:00Z"
MODELS: dict[type[Event], dict[str, Any]] = {
    ProcessCompleted: {
        "job_id": ID,
        "process_number": NUMBER,
        "status": "failed",
        "total_documents": 1,
        "completed_documents": 0,
        "failed_documents": 1,
        "created_at": NOW,
        "completed_at": NOW,
        "error_code": "x",
        "error_message": "x",
    },
    WebhookSubscribed: {
        "subscription_id": ID,
        "job_id": ID,
        "process_number": NUMBER,
        "client_id": "c",
        "url": "https://a.example/",
    },
    WebhookRetry: {"delivery_id": ID, "attempt": 2, "not_before": NOW},
}
DECODE = decoder(*MODELS)


def read(model: type[Event], value: bytes | None = None, /, **fields: Any) -> Any:
    text = orjson.dumps({**MODELS[model], **fields}) if value is None else value
    return DECODE(Record("t", 0, 0, None, text, {"ce_type": model.TYPE.encode()}))


@pytest.mark.parametrize("name", ["total_documents", "completed_documents", "failed_documents"])
def test_a_job_has_so_many_documents(name: str) -> None:
    for value in (0, MAX_COUNT):
        assert getattr(read(ProcessCompleted, **{name: value}), name) == value
    for value in (-1, MAX_COUNT + 1, 2**31, 2**63):
        with pytest.raises(PoisonRecord, match=name):
            read(ProcessCompleted, **{name: value})


@pytest.mark.parametrize(
    ("model", "name"),
    [(ProcessCompleted, "created_at"), (ProcessCompleted, "completed_at"), (WebhookRetry, "not_before")],
)
def test_a_time_that_nobody_can_mean_is_a_dead_letter(model: type[Event], name: str) -> None:
    assert read(model, **{name: NOW})
    for value in ("0001-01-01T00:00:00+01:00", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59-23:59", 10**16, -(10**16)):
        with pytest.raises(PoisonRecord, match=name):
            read(model, **{name: value})


def test_a_url_is_taken_whole_or_not_at_all() -> None:
    assert len(read(WebhookSubscribed, url="u" * 2048).url) == 2048
    for url in ("u" * 2049, "https://a.example/\x00", "https://a.example/\n"):
        with pytest.raises(PoisonRecord, match="url"):
            read(WebhookSubscribed, url=url)


def test_texts_are_cut() -> None:
    for size in (2047, 2048, 2049, 900_000):
        assert len(read(ProcessCompleted, error_message="x" * size).error_message) == min(size, 2048)
    for size in (199, 200, 201):
        assert len(read(WebhookSubscribed, client_id="c" * size).client_id) == min(size, 200)
    assert "\x00" not in read(ProcessCompleted, error_code="a\x00b").error_code


def test_an_attempt_is_within_the_integers_of_the_database() -> None:
    for value in (-1, 0, 1, 10**18):
        assert 1 <= read(WebhookRetry, attempt=value).attempt <= 1_000_000


@pytest.mark.parametrize("model", MODELS)
@given(value=st.binary(max_size=200))
def test_any_bytes_are_a_dead_letter(model: type[Event], value: bytes) -> None:
    with pytest.raises(PoisonRecord):
        read(model, value)


@pytest.mark.parametrize("model", MODELS)
@given(data=st.data())
def test_any_value_of_a_field_is_taken_or_a_dead_letter(model: type[Event], data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(list(MODELS[model])))
    scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.datetimes()
    value = data.draw(scalars | st.text().filter(lambda text: text.isascii()) | st.lists(st.integers(0, 9), max_size=2))
    try:
        event = read(model, **{name: value})
    except PoisonRecord:
        return
    assert isinstance(event, model)
    assert b"\\u0000" not in orjson.dumps(event.model_dump(mode="json"))
