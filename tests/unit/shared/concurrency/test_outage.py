"""An outage is one line when it begins and one when it is over."""

from __future__ import annotations

import logging

import pytest

from shared.concurrency.outage import Outage
from shared.errors import InfrastructureAway, PoisonRecord

_LOG = logging.getLogger("shared.test_outage")


def test_an_outage_is_logged_once_when_it_begins_and_once_when_it_ends(caplog: pytest.LogCaptureFixture) -> None:
    outage = Outage(_LOG, began="the store is away", over="the store is back", bucket="autos")
    with caplog.at_level(logging.INFO, _LOG.name):
        outage.is_over()
        outage.began(error="refused")
        outage.began(error="timeout")
        assert outage.away
        outage.is_over()
        outage.is_over()
    assert not outage.away
    assert [(line.levelname, line.message) for line in caplog.records] == [
        ("WARNING", "the store is away"),
        ("INFO", "the store is back"),
    ]
    assert vars(caplog.records[0])["error"] == "refused"
    assert vars(caplog.records[1])["bucket"] == "autos"


def test_a_try_begins_and_ends_an_outage_and_lets_other_errors_go_on(caplog: pytest.LogCaptureFixture) -> None:
    outage = Outage(_LOG, began="the store is away", over="the store is back")
    with caplog.at_level(logging.INFO, _LOG.name):
        for error in (InfrastructureAway("store"), InfrastructureAway("store")):
            with outage.of_try():
                raise error
        with pytest.raises(ValueError, match="odd"), outage.of_try():
            raise ValueError("odd")
        assert outage.away
        with outage.of_try():
            pass
    assert not outage.away
    assert [line.message for line in caplog.records] == ["the store is away", "the store is back"]


def test_a_part_that_must_not_end_its_service_logs_each_other_error_and_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    outage = Outage(_LOG, began="the store is away", over="the store is back", failed="it failed", bucket="autos")
    for error in (ValueError("odd"), PoisonRecord("unstorable", "SQLSTATE 23505")):
        with outage.of_try():
            raise error
        assert outage.failed and not outage.away
    with outage.of_try():
        pass
    assert not outage.failed
    with pytest.raises(KeyboardInterrupt), outage.of_try():
        raise KeyboardInterrupt
    first, second = caplog.records
    assert [(line.levelname, line.message) for line in caplog.records] == [("ERROR", "it failed")] * 2
    assert vars(first)["error"] == "ValueError" and first.exc_info is not None
    assert vars(second)["reason"] == "unstorable: SQLSTATE 23505" and second.exc_info is None
    assert vars(second)["bucket"] == "autos"
