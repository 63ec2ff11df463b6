"""An outage of the broker is one line, whatever the client writes about it."""

from __future__ import annotations

import logging

from shared.kafka.log_filter import FirstFailure, quiet_logger


def record(text: str) -> logging.LogRecord:
    return logging.LogRecord("l", logging.ERROR, "", 0, text, None, None)


def test_only_the_first_connection_failure_of_a_series_passes() -> None:
    now = 0.0
    seen = FirstFailure(lambda: now)
    passed = []
    for moment in (0.0, 1.0, 59.0, 118.0, 179.0):
        now = moment
        passed.append(seen.filter(record("FAIL [rdkafka#consumer-1] Connection refused")))
    assert passed == [True, False, False, False, True]


def test_what_is_no_connection_failure_passes() -> None:
    seen = FirstFailure(lambda: 0.0)
    assert all(seen.filter(record("CONFWARN [rdkafka#producer-1] a property")) for _ in range(3))


def test_a_logger_gets_one_filter() -> None:
    logger = quiet_logger("tests.quiet")
    assert quiet_logger("tests.quiet") is logger
    assert len(logger.filters) == 1
