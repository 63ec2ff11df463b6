"""Entity tags and their comparison."""

from __future__ import annotations

from services.api.http.answers import matches


def test_tags_match_weakly() -> None:
    assert matches('"x", W/"abc"', 'W/"abc"') and matches("*", 'W/"abc"')
    assert not matches('"ab"', 'W/"abc"') and not matches(None, 'W/"abc"')
