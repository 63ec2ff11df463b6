"""Statements that the server plans once: their parameters."""

from __future__ import annotations

import pytest

from shared.db.prepared import PreparedText


def test_a_parameter_without_a_type_is_refused() -> None:
    with pytest.raises(ValueError, match="none_such"):
        PreparedText("test_none_such", "SELECT :none_such, CAST(:a AS uuid), now()::text", a="text")


def test_a_type_without_a_parameter_is_refused() -> None:
    with pytest.raises(ValueError, match="'a', 'b'"):
        PreparedText("test_one_too_many", "SELECT :a", a="text", b="int")
