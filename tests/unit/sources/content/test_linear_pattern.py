"""The quick search finds what ``re`` finds, in bytes of any kind."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import SchemaError

from sources.content.linear_pattern import LinearPattern, folded_markup

PATTERNS = (
    r"type\s*=\s*[\"']?password",
    r"/openid-connect/auth\b",
    r"name\s*=\s*[\"']?(?:samlrequest|j_username)\b",
    r"<app-root[\s/>]|[ \t\n\r\f\v]ng-version\s*=",
)
PIECES = ("type", "TYPE", "=", " = ", "\n", "\v", '"', "'", "password", "/openid-connect/auth", "name", "SAMLRequest")
MORE = ("j_username", "_", "é", "?", "x", "<app-root", ">", "/", " ng-version", "\x00", "\x1f", "\x85", "\xa0")
FOUND = LinearPattern(*PATTERNS)
BY_RE = re.compile("|".join(PATTERNS).encode())


@given(
    st.one_of(
        st.lists(st.sampled_from(PIECES + MORE), max_size=12).map("".join).map(str.encode),
        st.lists(st.sampled_from(PIECES + MORE), max_size=12).map("".join).map(lambda text: text.encode("latin-1")),
        st.binary(max_size=200),
    )
)
def test_it_finds_what_re_finds_in_the_bytes(body: bytes) -> None:
    assert FOUND.is_in(folded_markup(body)) is (BY_RE.search(body.lower()) is not None)


def test_nothing_but_ascii_in_lower_case_is_left() -> None:
    folded = folded_markup(bytes(range(256)))
    assert folded.isascii()
    assert folded[:128] == bytes(range(128)).lower().decode()
    assert set(folded[128:]) == {"?"}


def test_what_the_engine_does_not_know_is_refused_at_once() -> None:
    with pytest.raises(SchemaError):
        LinearPattern(r"(a)\1")
