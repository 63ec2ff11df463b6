"""The envelope, every event there and back, and the generated schemas, examples and AsyncAPI document."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import PoisonRecord
from shared.events.document_events import DocumentAvailable, JobPlanned
from shared.events.envelope import NAMESPACE, Event, decode, decoder, deterministic_id, encode
from shared.events.flow import FLOW, PUBLIC
from shared.events.process_completed import JobOutcome, ProcessCompleted
from shared.events.process_requested import ProcessRequested
from shared.events.topics import DOCUMENT_RETRY, EVENTS, PROCESS_COMPLETED, TOPICS, WEBHOOK_RETRY, tier_for
from shared.events.webhook_subscribed import WebhookSubscribed
from shared.records import Record
from tools.schemas import write as schemas
from tools.schemas.asyncapi import asyncapi, models
from tools.schemas.samples import NoSample, sample

AT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
JOB = "3f6c1d2e-8a4b-4c5d-9e6f-7a8b9c0d1e2f"


def record_of(event: Event, topic: str = "document.events", **headers: bytes) -> Record:
    made = encode(event, topic, event_id=deterministic_id("x"), source="/autos/test", time=AT)
    return Record(topic, 0, 0, made.key, made.value, {**made.headers, **headers})


def completed(**fields: object) -> ProcessCompleted:
    values: dict[str, object] = {
        "job_id": JOB,
        "process_number": "1000145-91.2023.8.26.0597",
        "status": "partial",
        "total_documents": 3,
        "completed_documents": 2,
        "failed_documents": 1,
        "created_at": AT,
        "completed_at": AT,
    }
    return ProcessCompleted.model_validate(values | fields)


def test_an_event_travels_as_binary_mode_cloudevent() -> None:
    made = encode(
        completed(), PROCESS_COMPLETED, event_id="e1", source="/autos/status", time=AT, traceparent="00-a-b-01"
    )
    assert made.topic == "process.completed"
    assert made.key == b"1000145-91.2023.8.26.0597"
    assert made.headers == {
        "ce_id": b"e1",
        "ce_type": b"autos.process.completed",
        "ce_source": b"/autos/status",
        "ce_specversion": b"1.0",
        "ce_dataschema": b"urn:autos:events:ProcessCompleted:1",
        "ce_time": b"2026-01-02T03:04:05.678901Z",
        "ce_subject": JOB.encode(),
        "content-type": b"application/json",
        "traceparent": b"00-a-b-01",
    }
    body = json.loads(made.value or b"")
    assert body["completed_at"] == "2026-01-02T03:04:05.678901Z"
    assert body["status"] == "partial"


@pytest.mark.parametrize("model", models(), ids=lambda model: model.__name__)
def test_every_event_comes_back_as_it_was_sent(model: type[Event]) -> None:
    event = sample(model)
    assert decode(record_of(event), {model.TYPE: model}) == event


def test_times_are_taken_to_utc_and_numbers_to_their_mask() -> None:
    brazil = timezone(timedelta(hours=-3))
    event = completed(completed_at=datetime(2026, 1, 1, 21, tzinfo=brazil), process_number="10001459120238260597")
    assert event.completed_at == datetime(2026, 1, 2, tzinfo=UTC)
    assert event.completed_at.tzinfo is UTC
    assert event.process_number == "1000145-91.2023.8.26.0597"
    assert completed(job_id=JOB.upper()).job_id == JOB
    assert completed(status=JobOutcome.FAILED).status is JobOutcome.FAILED


@pytest.mark.parametrize(
    ("value", "headers", "reason"),
    [
        (None, {}, "no_value"),
        (b"{}", {"ce_type": None}, "no_type"),
        (b"{}", {"ce_type": b"autos.unknown"}, "unknown_type"),
        (b"\xff\xfe", {}, "not_json"),
        (b"[]", {}, "wrong_schema"),
        (b'{"job_id": "no uuid"}', {}, "wrong_schema"),
        (b'{"job_id": 1, "process_number": "1234567-89.2023.8.02.0001"}', {}, "wrong_schema"),
    ],
)
def test_what_is_no_event_is_poison_with_a_reason(
    value: bytes | None, headers: dict[str, bytes | None], reason: str
) -> None:
    names = {"ce_type": JobPlanned.TYPE.encode()} | headers
    record = Record("t", 0, 0, None, value, {name: text for name, text in names.items() if text is not None})
    with pytest.raises(PoisonRecord) as refused:
        decoder(JobPlanned, DocumentAvailable)(record)
    assert refused.value.reason == reason


def test_a_refusal_does_not_repeat_what_it_refused() -> None:
    record = Record("t", 0, 0, None, b'{"job_id": "MARIA DA SILVA"}', {"ce_type": JobPlanned.TYPE.encode()})
    with pytest.raises(PoisonRecord) as refused:
        decoder(JobPlanned)(record)
    assert "MARIA" not in str(refused.value)


@given(st.binary(max_size=200), st.dictionaries(st.sampled_from(["ce_type", "x"]), st.binary(max_size=30)))
def test_no_bytes_break_the_decoder(value: bytes, headers: dict[str, bytes]) -> None:
    with pytest.raises(PoisonRecord):
        decoder(JobPlanned)(Record("t", 0, 0, None, value, headers))


def test_unknown_fields_are_ignored() -> None:
    record = record_of(completed())
    body = json.loads(record.value or b"") | {"later": 1}
    newer = Record("t", 0, 0, record.key, json.dumps(body).encode(), record.headers)
    assert decode(newer, {ProcessCompleted.TYPE: ProcessCompleted}) == completed()


def test_deterministic_ids_repeat_and_differ() -> None:
    assert deterministic_id(JOB, "completed") == deterministic_id(JOB, "completed")
    assert deterministic_id(JOB, "completed") != deterministic_id(JOB, "other")


@pytest.mark.parametrize(
    ("delay", "topic"),
    [(0.2, "document.retry.5s"), (5, "document.retry.5s"), (29, "document.retry.5s"), (500, "document.retry.2m")],
)
def test_the_tier_is_the_longest_that_is_not_too_long(delay: float, topic: str) -> None:
    assert tier_for(delay, DOCUMENT_RETRY).topic == topic


def test_every_topic_has_a_specification_events_and_a_place_in_the_flow() -> None:
    names = [topic.name for topic in TOPICS]
    assert sorted(names) == sorted(set(names)) == sorted(EVENTS) == sorted(FLOW)
    assert {tier.topic for tier in WEBHOOK_RETRY} <= set(names)
    assert set(PUBLIC) <= set(names)
    types = [model.TYPE for model in models()]
    assert len(types) == len(set(types)) and all(types)


def test_what_is_committed_is_what_the_models_say() -> None:
    assert schemas.differences(schemas.files(), schemas.committed(schemas.DIRECTORY)) == []


def test_generating_twice_gives_the_same_text() -> None:
    assert schemas.files() == schemas.files()


@pytest.fixture(scope="module")
def made() -> Mapping[str, str]:
    """The generated files, by name."""
    return schemas.files()


@pytest.mark.parametrize("model", models(), ids=lambda model: model.__name__)
def test_an_example_is_of_its_schema(model: type[Event], made: Mapping[str, str]) -> None:
    schema = json.loads(made[f"{model.__name__}.json"])
    jsonschema.Draft202012Validator.check_schema(schema)
    example = json.loads(made[f"examples/{model.__name__}.json"])
    validator = jsonschema.Draft202012Validator(schema)
    validator.validate(example["value"])
    assert not validator.is_valid({})
    assert example["headers"]["ce_type"] == model.TYPE


def test_asyncapi_names_everything_it_refers_to(made: Mapping[str, str]) -> None:
    document = yaml.safe_load(yaml.safe_dump(asyncapi()))
    messages = document["components"]["messages"]
    for channel in document["channels"].values():
        for name, reference in channel["messages"].items():
            assert reference["$ref"] == f"#/components/messages/{name}"
            assert name in messages
    for operation in document["operations"].values():
        assert operation["channel"]["$ref"].removeprefix("#/channels/") in document["channels"]
    for name, message in messages.items():
        assert f"{name}.json" in made
        assert message["payload"] == {"$ref": f"./{name}.json"}


def test_check_finds_missing_needless_and_different_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert schemas.main(["--check"], tmp_path) == 1
    assert schemas.main([], tmp_path) == 0
    assert schemas.main(["--check"], tmp_path) == 0
    capsys.readouterr()
    (tmp_path / "JobPlanned.json").write_text("{}\n")
    (tmp_path / "Gone.json").write_text("{}\n")
    (tmp_path / "examples" / "JobAborted.json").unlink()
    assert schemas.main(["--check"], tmp_path) == 1
    said = capsys.readouterr().err
    assert "JobPlanned.json: not what the models say" in said
    assert "Gone.json: no event of this name" in said
    assert "examples/JobAborted.json: missing" in said
    assert schemas.main([], tmp_path) == 0
    assert not (tmp_path / "Gone.json").exists()
    assert schemas.main(["--what"], tmp_path) == 2


def test_a_new_field_wants_an_example() -> None:
    class Novelty(Event):
        TYPE = "autos.novelty"
        never_seen: str

    with pytest.raises(NoSample, match="never_seen"):
        sample(Novelty)


@given(st.lists(st.text(st.characters(codec="utf-8")) | st.integers(), min_size=1, max_size=5))
def test_a_deterministic_id_is_the_uuid5_of_its_parts(parts: list[object]) -> None:
    assert deterministic_id(*parts) == str(uuid.uuid5(NAMESPACE, "/".join(str(part) for part in parts)))


@pytest.mark.parametrize("model", models(), ids=lambda model: model.__name__)
def test_no_event_grows_with_what_others_have_written(model: type[Event]) -> None:
    fields = {name: value for name, value in sample(model).model_dump().items() if name != "url"}
    mine = {
        "job_id",
        "process_number",
        "document_id",
        "delivery_id",
        "subscription_id",
        "endpoint_id",
        "plan_id",
        "status",
    }
    loud = {name: "\x00é" * 500_000 for name, value in fields.items() if isinstance(value, str) and name not in mine}
    event = model.model_validate(sample(model).model_dump() | loud)
    assert len(event.model_dump_json()) < 20_000
    assert "\x00" not in "".join(value for value in event.model_dump().values() if isinstance(value, str))


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2026-01-02T03:04:05"])
def test_a_time_that_is_none_in_utc_is_poison(at: str) -> None:
    value = json.dumps({**sample(JobPlanned).model_dump(mode="json"), "created_at": at}).encode()
    with pytest.raises(PoisonRecord, match="wrong_schema: created_at"):
        decoder(JobPlanned)(Record("t", 0, 0, None, value, {"ce_type": JobPlanned.TYPE.encode()}))


def test_a_request_from_before_with_many_ids_is_still_read() -> None:
    ids = [str(uuid.UUID(int=number)) for number in range(2_000)]
    event = sample(ProcessRequested).model_copy(update={"document_ids": ids})
    read = decode(record_of(event), {ProcessRequested.TYPE: ProcessRequested})
    assert read.document_ids == ids


def test_a_url_that_is_none_is_refused_and_never_cut() -> None:
    for url in ("https://client.example/" + "x" * 3_000, "https://client.example/\x00"):
        with pytest.raises(ValueError, match="not a URL"):
            WebhookSubscribed.model_validate({**sample(WebhookSubscribed).model_dump(), "url": url})
