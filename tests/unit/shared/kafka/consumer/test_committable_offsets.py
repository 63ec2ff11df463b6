"""The offsets of a partition: any completion order, gaps, crashes and damaged metadata."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.kafka.consumer.committable_offsets import OffsetsWentBack, PartitionOffsets
from shared.kafka.consumer.offset_metadata import MAX_METADATA_BYTES, MAX_SPAN, decode_metadata, encode_metadata


def test_nothing_known_commits_nothing() -> None:
    assert PartitionOffsets().position() is None


def test_watermark_stays_below_the_first_unfinished() -> None:
    offsets = PartitionOffsets()
    for offset in (5, 6, 7):
        assert offsets.begin(offset)
    offsets.finish(6)
    offsets.finish(7)
    position = offsets.position()
    assert position is not None
    assert position[0] == 5
    assert decode_metadata(*position) == [(6, 8)]
    offsets.finish(5)
    assert offsets.position() == (8, "")


def test_offsets_that_never_arrive_do_not_stop_the_watermark() -> None:
    offsets = PartitionOffsets()
    for offset in (3, 9, 40):
        offsets.begin(offset)
    offsets.finish(3)
    assert offsets.position() == (9, "")
    offsets.finish(9)
    offsets.finish(40)
    assert offsets.position() == (41, "")


def test_a_record_finished_before_the_crash_is_not_handled_again() -> None:
    before = PartitionOffsets()
    for offset in range(10):
        before.begin(offset)
    for offset in (2, 3, 7):
        before.finish(offset)
    position = before.position()
    assert position is not None
    after = PartitionOffsets()
    after.restore(*position)
    assert [offset for offset in range(10) if after.begin(offset)] == [0, 1, 4, 5, 6, 8, 9]


def test_what_was_restored_and_not_reached_yet_stays_in_the_metadata() -> None:
    offsets = PartitionOffsets()
    offsets.restore(0, encode_metadata(0, [(4, 6)]))
    offsets.begin(0)
    offsets.finish(0)
    position = offsets.position()
    assert position is not None
    assert position[0] == 1
    assert decode_metadata(*position) == [(4, 6)]


def test_a_record_that_arrives_twice_is_handled_once() -> None:
    offsets = PartitionOffsets()
    assert offsets.begin(1)
    assert offsets.begin(2)
    assert not offsets.begin(1)
    offsets.finish(2)
    assert not offsets.begin(2)


def test_going_back_is_refused_once_something_was_begun_and_accepted_before() -> None:
    offsets = PartitionOffsets()
    offsets.restore(100, encode_metadata(100, [(101, 102)]))
    assert offsets.begin(0)  # the topic was made anew
    assert offsets.begin(1)
    offsets.finish(0)
    with pytest.raises(OffsetsWentBack):
        offsets.begin(0)


def test_no_commit_yet_restores_nothing() -> None:
    offsets = PartitionOffsets()
    offsets.restore(-1001, "")
    assert offsets.position() is None
    assert offsets.begin(7)


@st.composite
def _steps(draw: st.DrawFn) -> tuple[list[int], list[int]]:
    arriving = sorted(draw(st.sets(st.integers(0, 300), min_size=1, max_size=80)))
    finishing = draw(st.permutations(arriving))[: draw(st.integers(0, len(arriving)))]
    return arriving, finishing


@given(_steps(), st.data())
def test_no_commit_passes_an_unfinished_record_and_none_is_handled_twice(
    steps: tuple[list[int], list[int]], data: st.DataObject
) -> None:
    """Whatever the order, however often the holder dies: unfinished ones come again, finished ones do not."""
    arriving, finishing = steps
    finished: set[int] = set()
    offsets = PartitionOffsets()
    at = 0
    queue = list(finishing)
    open_now: set[int] = set()
    while queue:
        # Begin some, finish one of those that are open in the drawn order, perhaps crash.
        for _ in range(data.draw(st.integers(0, 20))):
            if at < len(arriving):
                if offsets.begin(arriving[at]):
                    open_now.add(arriving[at])
                else:
                    assert arriving[at] in finished
                at += 1
        done = next((offset for offset in queue if offset in open_now), None)
        if done is None:
            if at == len(arriving):
                break
            continue
        queue.remove(done)
        open_now.remove(done)
        offsets.finish(done)
        finished.add(done)
        position = offsets.position()
        assert position is not None
        watermark = position[0]
        assert all(offset in finished for offset in arriving if offset < watermark)
        claimed = {o for first, last in decode_metadata(*position) for o in range(first, last)}
        assert claimed & set(arriving) == {o for o in finished if o >= watermark}
        if data.draw(st.integers(0, 9)) == 0:
            offsets = PartitionOffsets()
            offsets.restore(*position)
            open_now.clear()
            at = next((i for i, offset in enumerate(arriving) if offset >= watermark), len(arriving))
            for offset in arriving:
                if offset >= watermark:
                    assert offsets.copy().begin(offset) == (offset not in finished)
    assert offsets.unfinished == len(open_now)


_runs = st.lists(st.tuples(st.integers(1, 400), st.integers(1, 400)), max_size=60)


def _absolute(offset: int, steps: list[tuple[int, int]]) -> list[tuple[int, int]]:
    runs = []
    at = offset
    for gap, length in steps:
        runs.append((at + gap, at + gap + length))
        at += gap + length
    return runs


@given(st.integers(0, 2**60), _runs)
def test_metadata_comes_back_as_it_was(offset: int, steps: list[tuple[int, int]]) -> None:
    runs = _absolute(offset, steps)
    text = encode_metadata(offset, runs)
    assert len(text) <= MAX_METADATA_BYTES
    assert decode_metadata(offset, text) == runs


@given(st.integers(0, 2**32), st.integers(800, 1_500))
def test_metadata_that_is_cut_claims_only_what_is_finished(seed: int, count: int) -> None:
    random = Random(seed)
    runs = _absolute(0, [(random.randint(1, 10**6), random.randint(1, 3)) for _ in range(count)])
    text = encode_metadata(0, runs)
    assert len(text) <= MAX_METADATA_BYTES
    decoded = decode_metadata(0, text)
    assert decoded == runs[: len(decoded)]
    assert len(decoded) > 500


def test_the_worst_mixture_within_the_span_fits_whole() -> None:
    runs = [(offset, offset + 1) for offset in range(1, MAX_SPAN, 2)]
    text = encode_metadata(0, runs)
    assert len(text) <= MAX_METADATA_BYTES
    assert decode_metadata(0, text) == runs


@given(st.text(max_size=60))
def test_foreign_metadata_counts_as_none(text: str) -> None:
    assert decode_metadata(5, text) == []
    assert decode_metadata(5, "a1." + text) == []


@given(st.integers(0, 10**6), st.integers(1, 100))
def test_metadata_moved_to_another_offset_or_damaged_counts_as_none(offset: int, shift: int) -> None:
    text = encode_metadata(offset, [(offset + 2, offset + 9)])
    assert decode_metadata(offset + shift, text) == []
    damaged = text[:-2] + ("A" if text[-2] != "A" else "B") + text[-1]
    assert decode_metadata(offset, damaged) in ([], [(offset + 2, offset + 9)])
    assert decode_metadata(offset, text[:-4]) == []
