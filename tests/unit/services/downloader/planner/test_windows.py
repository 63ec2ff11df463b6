"""The windows of a large job follow each other, and every document is requested once, whatever is repeated."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from services.downloader.planner.windows import CLAIM_LASTS, marks, may_release, windows

CREATED = datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_a_claim_is_the_records_own_and_ends_after_a_while() -> None:
    assert may_release(None, None, "p/0/1", CREATED)
    assert may_release("p/0/1", CREATED, "p/0/1", CREATED)
    assert not may_release("p/0/1", CREATED, "p/0/2", CREATED + CLAIM_LASTS)
    assert may_release("p/0/1", CREATED, "p/0/2", CREATED + CLAIM_LASTS + timedelta(seconds=1))


class PlannerAndFetchers:
    """The planner, the fetchers and two topics, with every kill and repeat that they can have."""

    def __init__(self, count: int, window: int, random: Random) -> None:
        ids = [str(number) for number in range(count)]
        self.chunks = windows(ids, window)
        self.claims: dict[int, str] = {}
        self.questions: dict[int, int] = {}
        """Offset -> window, of what waits in process.requested."""
        self.offset = 0
        self.requested: Counter[str] = Counter()
        self.waiting: list[tuple[str, int | None]] = []
        self.random = random
        self.write(0)

    def write(self, number: int) -> None:
        """A window's requests, with the transaction that they are in."""
        chunk = self.chunks[number]
        asking = marks(len(chunk)) if number + 1 < len(self.chunks) else frozenset()
        for index, each in enumerate(chunk):
            self.requested[each] += 1
            self.waiting.append((each, number if index in asking else None))

    def fetch(self) -> None:
        """Any document that waits has its turn: it ends, or its worker is killed after it has told so."""
        index = self.random.randrange(len(self.waiting))
        _, after = self.waiting[index]
        if after is not None:
            self.questions[self.offset] = after + 1
            self.offset += 1
        if self.random.random() < 0.7:
            del self.waiting[index]

    def plan(self) -> None:
        """Any question is handled; its planner may be killed before or after the claim, and then it comes again."""
        offset = self.random.choice(list(self.questions))
        number = self.questions[offset]
        if self.random.random() < 0.2:
            return
        if not may_release(self.claims.get(number), CREATED, str(offset), CREATED):
            del self.questions[offset]
            return
        self.claims[number] = str(offset)
        if self.random.random() < 0.3:
            return
        self.write(number)
        del self.questions[offset]


@given(st.integers(1, 60), st.integers(1, 9), st.integers(0, 2**32))
def test_every_document_is_requested_once_whatever_is_killed_and_repeated(count: int, window: int, seed: int) -> None:
    random = Random(seed)
    world = PlannerAndFetchers(count, window, random)
    while world.waiting or world.questions:
        if world.waiting and (not world.questions or random.random() < 0.5):
            world.fetch()
        else:
            world.plan()
    assert world.requested == Counter(str(number) for number in range(count))
