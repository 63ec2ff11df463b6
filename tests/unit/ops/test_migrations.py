"""The migrations are one chain, so that two that were written at the same time are noticed before any database is."""

from __future__ import annotations

import re
from pathlib import Path

VERSIONS = Path(__file__).parents[3] / "ops/migrations/versions"


def test_the_migrations_are_one_chain_in_the_order_of_their_numbers() -> None:
    files = sorted(path for path in VERSIONS.glob("*.py") if path.stem != "__init__")
    chain = []
    for path in files:
        text = path.read_text()
        named = re.search(r'^revision = "(\w+)"$', text, re.M)
        before = re.search(r'^down_revision = (?:"(\w+)"|None)$', text, re.M)
        assert named is not None
        assert before is not None
        assert path.stem.startswith(f"{named[1]}_")
        chain.append((named[1], before[1]))
    numbers = [number for number, _ in chain]
    assert chain == list(zip(numbers, [None, *numbers], strict=False))
