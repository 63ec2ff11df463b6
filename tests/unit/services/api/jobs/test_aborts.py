"""A request that the broker will never take ends its job; nothing follows from another event, or from what is none."""

from __future__ import annotations

import orjson
import pytest

from services.api.jobs.aborts import aborted_by_broker
from shared.events.envelope import payload
from shared.events.process_requested import ProcessRequested
from shared.events.topics import DOCUMENT_EVENTS
from shared.events.webhook_subscribed import WebhookSubscribed
from shared.outbox.rows import OutboxRow
from tools.schemas.samples import sample

REQUEST = sample(ProcessRequested)
TEXT = payload(REQUEST).decode()


def row(text: str | None = TEXT, kind: str = ProcessRequested.TYPE, headers: object = None) -> OutboxRow:
    return OutboxRow(1, "process.requested", "key", kind, text, {} if headers is None else headers)


def test_a_request_that_is_set_aside_ends_its_job() -> None:
    (record,) = aborted_by_broker(row(headers={"traceparent": "00-ab-cd-01"}), "too_large")
    assert record.topic == DOCUMENT_EVENTS
    told = orjson.loads(record.value or b"")
    assert (told["job_id"], told["error_code"]) == (orjson.loads(TEXT)["job_id"], "event_refused")
    assert "too_large" in told["error_message"]
    assert record.headers["traceparent"] == b"00-ab-cd-01"
    # A repeat is recognised.
    assert aborted_by_broker(row(), "too_large")[0].headers["ce_id"] == record.headers["ce_id"]


@pytest.mark.parametrize("headers", [None, [], 7, {"traceparent": 5}])
def test_whatever_else_is_wrong_with_it(headers: object) -> None:
    text = orjson.dumps({**orjson.loads(TEXT), "document_ids": "none", "attempt": -1}).decode()
    assert len(aborted_by_broker(row(text, headers=headers), "unencodable")) == 1


def test_nothing_follows_from_other_events() -> None:
    text = payload(sample(WebhookSubscribed)).decode()
    assert aborted_by_broker(row(text, WebhookSubscribed.TYPE), "too_large") == ()
    assert aborted_by_broker(row(None), "too_large") == ()


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"job_id": 1, "process_number": 2}'])
def test_what_names_no_job_is_an_error_that_the_relay_tells(text: str) -> None:
    with pytest.raises((ValueError, TypeError, KeyError)):
        aborted_by_broker(row(text), "refused")
