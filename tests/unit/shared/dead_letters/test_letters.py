"""What a dead letter says of itself, and what asks for its work again."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

import orjson
import pytest

from shared.dead_letters.letters import DeadLetter, NotReplayable, dead_letter, replayed
from shared.events.envelope import encode
from shared.events.process_requested import ProcessDead
from shared.events.topics import PROCESS_DEAD, PROCESS_REQUESTED, WEBHOOK_DEAD, WEBHOOK_SUBSCRIBED
from shared.events.webhook_events import WebhookExhausted
from shared.records import OutgoingRecord, Record

NOW = datetime(2026, 3, 2, tzinfo=UTC)
NUMBER = "1000145-91.2023.8.26.0597"
ID = str(uuid.uuid4())


def read(written: OutgoingRecord) -> DeadLetter:
    return dead_letter(Record(written.topic, 0, 7, written.key, written.value, written.headers))


def test_a_spent_webhook_says_why_and_gets_a_new_round_of_attempts() -> None:
    about = {"delivery_id": ID, "subscription_id": ID, "job_id": ID, "process_number": NUMBER, "client_id": "acme"}
    event = WebhookExhausted(
        **about, attempt=9, at=NOW, error_code="http_500", status_code=500, url="https://a.example/h?token=secret"
    )
    letter = read(encode(event, WEBHOOK_DEAD, event_id=ID, source="/autos/notifier", time=NOW))
    assert (letter.error_code, letter.error_message) == ("http_500", "HTTP 500 to attempt 9, the last one")
    assert letter.case == NUMBER and letter.named("delivery_id") == ID
    again = replayed(letter)
    assert (again.topic, again.headers["ce_type"]) == (WEBHOOK_SUBSCRIBED, b"autos.webhook.redelivery_requested")
    assert orjson.loads(again.value or b"") == {
        name: about[name] for name in ("delivery_id", "job_id", "process_number", "client_id")
    }


def test_a_case_begins_anew_with_its_first_attempt() -> None:
    event = ProcessDead(
        job_id=ID, process_number=NUMBER, client_id="acme", attempt=4, error_code="case_unreadable", error_message="no"
    )
    letter = read(encode(event, PROCESS_DEAD, event_id=ID, source="/autos/downloader", time=NOW))
    again = replayed(letter, event_id=ID, source="/autos/api", clock=lambda: NOW)
    value = orjson.loads(again.value or b"")
    assert (again.topic, again.headers["ce_id"], value["attempt"]) == (PROCESS_REQUESTED, ID.encode(), 1)
    assert "error_code" not in value


def test_what_nobody_can_read_is_not_sent_again() -> None:
    letter = read(OutgoingRecord(WEBHOOK_DEAD, b"k", b"{", {"autos_error": b"not_json"}))
    assert (letter.error_code, letter.case) == ("not_json", None)
    with pytest.raises(NotReplayable):
        replayed(letter)
