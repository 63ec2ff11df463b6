"""The bounds of a request: below, at and above each."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.api.http.bounds import ADDRESS_BYTES, HEADER_FIELDS, PARAMETERS, RequestBounds
from services.api.http.problems import (
    ERRORS_SHOWN,
    BodyTooLarge,
    FieldError,
    Problem,
    ValidationFailed,
)
from services.api.http.refusals import AddressTooLong, HeadTooLarge, TooManyParameters
from services.api.http.request_counter import PIECE_BYTES, RequestCounter

BOUNDS = RequestBounds(1000, 2000, 10, 20, 65, 60, 100)

Fields = list[tuple[bytes, bytes]]


@pytest.mark.parametrize(
    ("address", "query", "fields", "refused"),
    [
        (ADDRESS_BYTES, b"", [], None),
        (ADDRESS_BYTES + 1, b"", [], AddressTooLong),
        (9, b"&".join([b"a=1"] * PARAMETERS), [], None),
        (9, b"&".join([b"a=1"] * (PARAMETERS + 1)), [], TooManyParameters),
        (9, b"&" * 8000, [], TooManyParameters),
        (9, b"", [(b"a", b"")] * HEADER_FIELDS, None),
        (9, b"", [(b"a", b"")] * (HEADER_FIELDS + 1), HeadTooLarge),
        # Name, value, and four of the line: 2,000.
        (9, b"", [(b"name", b"v" * 1992)], None),
        (9, b"", [(b"name", b"v" * 1993)], HeadTooLarge),
        (9, b"", [(b"content-length", b"1000")], None),
        (9, b"", [(b"content-length", b"0" * 40 + b"1000")], None),
        (9, b"", [(b"content-length", b"1001")], BodyTooLarge),
        (9, b"", [(b"content-length", b"9" * 19)], BodyTooLarge),
        (9, b"", [(b"content-length", b"9" * 1900)], BodyTooLarge),
    ],
)
def test_a_head_is_taken_up_to_each_bound(
    address: int, query: bytes, fields: Fields, refused: type[Problem] | None
) -> None:
    if refused is None:
        BOUNDS.check_head(address, query, fields)
        return
    with pytest.raises(refused):
        BOUNDS.check_head(address, query, fields)


def test_a_body_is_counted_as_it_comes() -> None:
    incoming = RequestCounter(BOUNDS)
    incoming.begin()
    incoming.end_head()
    incoming.body(999)
    incoming.body(1)
    with pytest.raises(BodyTooLarge):
        incoming.body(1)
    assert isinstance(incoming.refusal, BodyTooLarge)


def test_bytes_that_end_nothing_are_counted_too() -> None:
    incoming = RequestCounter(BOUNDS)
    incoming.begin()
    # A header field without an end: the parser tells nothing of it.
    incoming.piece(BOUNDS.head_bytes, incoming.part)
    incoming.piece(PIECE_BYTES, incoming.part)
    with pytest.raises(HeadTooLarge):
        incoming.piece(1, incoming.part)
    # Extensions of chunks and trailers without an end.
    incoming.end_head()
    incoming.piece(5, incoming.part - 1)
    incoming.piece(BOUNDS.wire_bytes, incoming.part)
    with pytest.raises(BodyTooLarge):
        incoming.piece(1, incoming.part)


def test_each_request_of_a_connection_is_counted_by_itself() -> None:
    incoming = RequestCounter(BOUNDS)
    for _ in range(3):
        incoming.begin()
        for _ in range(HEADER_FIELDS):
            incoming.field(b"n", b"")
        incoming.end_head()
        incoming.body(1000)
        incoming.end()
        assert incoming.is_between
    incoming.begin()
    assert not incoming.is_between and incoming.seconds == BOUNDS.head_seconds
    incoming.end_head()
    assert incoming.seconds == BOUNDS.body_seconds


@given(st.lists(st.tuples(st.text(max_size=3000), st.text(max_size=3000)), max_size=60), st.text(max_size=9000))
def test_a_problem_is_small_and_is_json_whatever_a_client_sent(texts: list[tuple[str, str]], detail: str) -> None:
    errors = [FieldError(field + "\ud800", "code", message + "\udfff") for field, message in texts]
    problem = ValidationFailed(detail + "\ud800", errors=errors)
    answer = orjson.dumps(problem.document(instance=detail + "\udc00", request_id="id"))
    read = orjson.loads(answer)
    assert len(read.get("errors", [])) == min(len(errors), ERRORS_SHOWN)
    assert read.get("errors_total", len(errors)) == len(errors)
    assert len(answer) < 150_000
