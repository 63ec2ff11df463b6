"""The tree of errors: drawn as it is, each with one code, one verdict and a documented use."""

from __future__ import annotations

import re

import pytest

from sources import errors
from sources.errors import FINAL_CODES, SourceError, Verdict, is_final

LEAVES = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, SourceError) and "CODE" in vars(kind)
]


def test_the_drawing_shows_every_error_with_its_code() -> None:
    assert errors.__doc__ is not None
    drawn = dict(re.findall(r"[-·] (\w+) +([a-z_]+)$", errors.__doc__, re.MULTILINE))
    refined = dict.fromkeys(("SourceTimeout", "SourceForbidden"), "source_unavailable")
    refined["MalformedAnswer"] = "unexpected_answer"
    assert drawn == {kind.__name__: kind.CODE for kind in LEAVES} | refined  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", LEAVES)
def test_each_error(kind: type[SourceError]) -> None:
    error = kind(retry_after=3.0)  # type: ignore[call-arg]
    assert str(error) == error.message
    assert error.message
    assert error.retry_after == 3.0
    assert kind.__doc__ is not None
    assert kind.__doc__.startswith("Raised ")
    assert not is_final(error.code) or error.verdict is Verdict.PERMANENT


def test_codes_are_unique_and_the_permanent_ones_are_listed() -> None:
    codes = [kind.CODE for kind in LEAVES]  # type: ignore[attr-defined]
    assert len(codes) == len(set(codes))
    assert FINAL_CODES.issubset(codes)
    assert not is_final(None)
