"""What switches tracing on."""

from __future__ import annotations

import pytest

from shared.tracing import setup, spans

ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ({}, False),
        (ENDPOINT, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:4318/v1/traces"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": " "}, False),
        ({**ENDPOINT, "OTEL_SDK_DISABLED": "TRUE"}, False),
        ({**ENDPOINT, "OTEL_TRACES_EXPORTER": "none"}, False),
        ({**ENDPOINT, "OTEL_TRACES_EXPORTER": "otlp"}, True),
    ],
)
def test_an_endpoint_does_unless_it_is_switched_off(environment: dict[str, str], wanted: bool) -> None:
    assert setup.is_wanted(environment) is wanted


def test_without_an_endpoint_nothing_begins() -> None:
    setup.start("api", "1", {})()
    assert not spans.is_on()
