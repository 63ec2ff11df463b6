"""Traces and request ids: what is taken of what a client sends."""

from __future__ import annotations

from services.api.http.tracing import request_id, traceparent


def test_the_callers_trace_goes_on_and_nonsense_begins_a_new_one() -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    mine = traceparent(f"00-{trace}-00f067aa0ba902b7-00")
    assert mine.split("-")[1] == trace and mine.endswith("-00") and "00f067aa0ba902b7" not in mine
    for wrong in (None, "", "junk", f"ff-{trace}-00f067aa0ba902b7-01", f"00-{'0' * 32}-00f067aa0ba902b7-01"):
        assert trace not in traceparent(wrong)
        assert len(traceparent(wrong)) == 55
    assert request_id("order-17") == "order-17"
    assert request_id("a\nb") != "a\nb"
