"""The bounds of a receiver's answer: at each, the answer counts; beyond it, it is refused or left unread."""

from __future__ import annotations

from collections.abc import Iterator

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.http.answer import (
    MAX_ANSWER_BYTES,
    MAX_CHUNKS,
    MAX_FRAMING_BYTES,
    MAX_HEAD_BYTES,
    MAX_HEAD_LINES,
    MAX_INTERIM,
    MAX_READS,
    MAX_RETRY_AFTER,
    AnswerBroken,
    AnswerReader,
    CallPhase,
    ReadStep,
    ReceiverAnswer,
)

INTERIM = b"HTTP/1.1 102 Processing\r\n\r\n"
EMPTY = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
PIECE = 8 * 1024


class Reading:
    """An answer that is read from ``pieces`` until it ends, is enough, or wants what will not come."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        http = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD_BYTES)
        http.send(h11.Request(method="POST", target="/", headers=[("host", "a"), ("content-length", "0")]))
        http.send(h11.EndOfMessage())
        self.answer = ReceiverAnswer(phase=CallPhase.HEAD)
        self.taken = 0
        reader = AnswerReader(http, self.answer)
        self.step = ReadStep.YIELD
        while self.step in {ReadStep.READ, ReadStep.YIELD}:
            self.step = reader.step()
            if self.step is ReadStep.READ:
                piece = next(pieces)
                self.taken += len(piece)
                reader.feed(piece)


def in_pieces(text: bytes, size: int = PIECE) -> Iterator[bytes]:
    yield from (text[start : start + size] for start in range(0, len(text), size))
    yield b""


def endless(first: bytes, then: bytes) -> Iterator[bytes]:
    """``first``, then ``then`` again and again, as a reader gets it that takes so much at once."""
    waiting = first
    while True:
        while len(waiting) < PIECE:
            waiting += then
        yield waiting[:PIECE]
        waiting = waiting[PIECE:]


def read(text: bytes, size: int = PIECE) -> Reading:
    return Reading(in_pieces(text, size))


def refused(text: bytes, size: int = PIECE) -> str:
    with pytest.raises(AnswerBroken) as caught:
        read(text, size)
    return str(caught.value)


def head(size: int) -> bytes:
    """A whole head of so many bytes."""
    return EMPTY[:-2] + b"x: " + b"y" * (size - len(EMPTY) - 5) + b"\r\n\r\n"


def test_interim_answers_are_passed_over_up_to_their_number() -> None:
    for number in (0, 1, MAX_INTERIM - 1, MAX_INTERIM):
        assert (read(INTERIM * number + EMPTY).step, read(INTERIM * number + EMPTY, 1).step) == (ReadStep.ENDED,) * 2
    assert "interim" in refused(INTERIM * (MAX_INTERIM + 1) + EMPTY)


def test_a_head_has_so_many_bytes() -> None:
    for size in (MAX_HEAD_BYTES - 1, MAX_HEAD_BYTES):
        assert len(head(size)) == size
        assert read(head(size)).step is ReadStep.ENDED
    refused(head(MAX_HEAD_BYTES + 1))
    refused(INTERIM + head(MAX_HEAD_BYTES))


def test_a_head_has_so_many_lines() -> None:
    lines = MAX_HEAD_LINES - 2  # besides the status line and the length
    for number in (lines - 1, lines):
        for size in (PIECE, 7, 3):
            assert read(EMPTY[:-2] + b"a:b\r\n" * number + b"\r\n" + b"\n" * 9, size).step is ReadStep.ENDED
    assert "lines" in refused(EMPTY[:-2] + b"a:b\r\n" * (lines + 1) + b"\r\n")


def test_a_body_with_many_lines_is_no_head() -> None:
    text = b"HTTP/1.1 200 OK\r\ncontent-length: 5000\r\n\r\n" + b"\n" * 5000
    for cut in range(30, 50):
        assert Reading(iter([text[:cut], text[cut:]])).step is ReadStep.ENDED


def test_a_head_comes_in_so_many_pieces() -> None:
    first = b"HTTP/1.1 200 " + b"O" * (MAX_READS - len(b"HTTP/1.1 200 \r\n\r\n"))
    assert read(first + b"\r\n\r\n", 1).answer.status_code == 200
    assert "pieces" in refused(first + b"O\r\n\r\n", 1)


def test_a_body_is_read_up_to_its_bytes() -> None:
    for size, step in (
        (MAX_ANSWER_BYTES - 1, ReadStep.ENDED),
        (MAX_ANSWER_BYTES, ReadStep.ENOUGH),
        (MAX_ANSWER_BYTES + 1, ReadStep.ENOUGH),
    ):
        reading = read(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size + b"x" * size)
        assert (reading.step, reading.answer.complete) == (step, True)
        assert len(reading.answer.body) == min(size, MAX_ANSWER_BYTES)


def test_a_body_is_read_up_to_its_number_of_chunks() -> None:
    for number, step in (
        (MAX_CHUNKS - 1, ReadStep.ENDED),
        (MAX_CHUNKS, ReadStep.ENOUGH),
        (MAX_CHUNKS + 1, ReadStep.ENOUGH),
    ):
        reading = read(CHUNKED + b"1\r\nx\r\n" * number + b"0\r\n\r\n")
        assert (reading.step, len(reading.answer.body)) == (step, min(number, MAX_CHUNKS))


def test_a_body_is_read_up_to_its_number_of_pieces() -> None:
    reading = read(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 4096, 1)
    assert (reading.step, reading.taken, reading.answer.complete) == (ReadStep.ENOUGH, MAX_READS, True)


@pytest.mark.parametrize(
    ("first", "then"),
    [
        (b"", INTERIM),
        (b"HTTP/1.1 200 OK\r\n", b"a: b\r\n"),
        (b"HTTP/1.1 200 OK\r\na: b", b"c"),
        (b"HTTP/1.1 200 OK\r\na: b\r\n", b" c\r\n"),
        (b"HTTP/1.1 200 ", b"O"),
        (b"", b"\r\n"),
        (b"", b"x"),
    ],
)
def test_a_head_that_never_ends_is_refused(first: bytes, then: bytes) -> None:
    with pytest.raises(AnswerBroken):
        Reading(endless(first, then))


@pytest.mark.parametrize(
    ("first", "then"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", b"x"),
        (CHUNKED, b"1\r\nx\r\n"),
        (CHUNKED, b"ffff\r\n" + b"x" * 0xFFFF + b"\r\n"),
        (CHUNKED + b"1;", b"e"),
        (CHUNKED, b"1;" + b"e" * 500 + b"\r\nx\r\n"),
        (CHUNKED + b"0\r\n", b"a: b\r\n"),
        (CHUNKED + b"0\r\na: ", b"b"),
    ],
)
def test_of_a_body_that_never_ends_a_bounded_part_is_read_and_the_status_counts(first: bytes, then: bytes) -> None:
    reading = Reading(endless(first, then))
    assert (reading.step, reading.answer.status_code, reading.answer.complete) == (ReadStep.ENOUGH, 200, True)
    assert reading.taken <= MAX_ANSWER_BYTES + MAX_FRAMING_BYTES + len(first) + 2 * PIECE


@pytest.mark.parametrize(
    "text",
    [
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\ncontent-length: " + b"9" * 100 + b"\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nshort",
        CHUNKED + b"zz\r\n",
        CHUNKED + b"f" * 21 + b"\r\n",
        CHUNKED + b"1\r\nxx\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"",
    ],
)
def test_what_is_not_an_answer_is_refused(text: bytes) -> None:
    assert refused(text)


def test_retry_after_is_kept_up_to_its_length() -> None:
    for size, kept in ((MAX_RETRY_AFTER, True), (MAX_RETRY_AFTER + 1, False)):
        value = "9" * size
        reading = read(EMPTY[:-2] + f"retry-after: {value}\r\n\r\n".encode())
        assert reading.answer.retry_after == (value if kept else None)


@given(st.binary(max_size=400), st.integers(1, 50), st.booleans())
def test_any_bytes_are_read_or_refused(text: bytes, size: int, after_head: bool) -> None:
    try:
        reading = read((CHUNKED if after_head else b"") + text, size)
    except AnswerBroken:
        return
    assert reading.answer.complete
