"""One line for an outage of the broker."""

from __future__ import annotations

import logging

import pytest

from services.status.faust_stream.log_filter import OutageHandler


def test_an_outage_is_logged_once_and_the_next_one_again(caplog: pytest.LogCaptureFixture) -> None:
    now = [0.0]
    handler = OutageHandler(lambda: now[0])
    failure = logging.LogRecord("aiokafka", logging.ERROR, "", 0, "no broker\nat all", None, None)
    with caplog.at_level(logging.WARNING, "services.status.faust_stream.log_filter"):
        for _ in range(50):
            now[0] += 10
            handler.handle(failure)
        assert len(caplog.records) == 1
        now[0] += 61
        handler.handle(failure)
    assert len(caplog.records) == 2
    assert caplog.records[0].__dict__["failure"] == "no broker"
