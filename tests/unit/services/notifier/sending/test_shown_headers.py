"""The headers of an attempt as its client is shown them."""

from __future__ import annotations

from services.notifier.sending.attempt import HIDDEN, shown_headers, without_own_values


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


def test_a_receiver_that_sends_back_what_it_got_puts_no_secret_into_the_attempt() -> None:
    sent = [("webhook-id", "8fa6da03"), ("Authorization", "Bearer of-the-receiver"), ("X-Own", "2")]
    echoed = '{"Authorization": "Bearer of-the-receiver", "token": "of-the-receiver", "x-own": "2", "id": "8fa6da03"}'
    shown = without_own_values(echoed, sent)
    assert "of-the-receiver" not in shown and shown.count(HIDDEN) == 2
    assert '"x-own": "2"' in shown and "8fa6da03" in shown


def test_a_request_that_was_not_made_has_none() -> None:
    assert shown_headers([], 120) == {}
