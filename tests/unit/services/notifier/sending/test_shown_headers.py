"""The headers of an attempt as its client is shown them."""

from __future__ import annotations

from services.notifier.sending.attempt import HIDDEN, shown_headers


def test_ours_are_shown_and_the_clients_own_by_name_alone() -> None:
    sent = [("webhook-id", "1"), ("webhook-signature", "v1,abc"), ("Authorization", "Bearer secret"), ("X-Own", "2")]
    shown = shown_headers(sent, 120)
    assert shown == {
        "content-type": "application/json",
        "content-length": "120",
        "webhook-id": "1",
        "webhook-signature": "v1,abc",
        "Authorization": HIDDEN,
        "X-Own": HIDDEN,
    }


def test_a_request_that_was_not_made_has_none() -> None:
    assert shown_headers([], 120) == {}
