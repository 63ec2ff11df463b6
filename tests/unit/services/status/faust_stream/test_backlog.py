"""How far the projection is behind, in offsets."""

from __future__ import annotations

import pytest

from services.status.faust_stream.backlog import Backlog

PARTITION = ("document.events", 3)


@pytest.mark.parametrize(
    ("end", "position", "written", "behind"),
    [
        (10, 10, 9, 0),  # the last record has the offset 8, a marker 9
        (10, 10, 7, 2),  # read and not written
        (20, 10, 9, 11),  # there is more to read
        (20, 10, None, 15),  # nothing of it is written yet
    ],
)
def test_what_is_not_written_is_behind(end: int, position: int, written: int | None, behind: int) -> None:
    backlog = Backlog()
    backlog.read(PARTITION, 5, 6)
    backlog.read(PARTITION, 7, 8)
    assert backlog.behind(PARTITION, end, position, written) == behind


@pytest.mark.parametrize(("position", "behind"), [(10, 0), (8, 2), (11, 0)])
def test_a_partition_of_which_nothing_was_read_is_behind_by_what_there_is(position: int, behind: int) -> None:
    backlog = Backlog()
    backlog.read(PARTITION, 5, 8)
    backlog.forget([PARTITION])
    assert backlog.behind(PARTITION, 10, position, None) == behind
