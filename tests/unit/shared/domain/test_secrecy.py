"""Who sees what: the whole table of the rule."""

from __future__ import annotations

import itertools

import pytest

from shared.domain.secrecy import UNKNOWN, Knowledge, LeftOut, Sight, Viewer, is_public, is_public_document
from sources.pdpj.parse.documents import Listing, read_documents

NUMBER = "1000145-91.2023.8.26.0597"
SEALED_WORDS = ["SEGREDO_JUSTICA", "SIGILO_MINIMO", "SIGILO_MEDIO", "SIGILO_INTENSO", "SIGILO_ABSOLUTO"]
ODD_WORDS = ["publico", "PUBLICO ", "PÚBLICO", "NORMAL", "1", "00", "-0", "0.0", "", "null", UNKNOWN]


@pytest.mark.parametrize("asked", [True, False])
@pytest.mark.parametrize("level", [0, 1, 2, 5, 99, -1, None])
def test_a_case_is_seen_by_who_asked_and_a_sealed_one_with_the_scope_twice(asked: bool, level: int | None) -> None:
    for asked_sealed, key_sealed, has_sealed in itertools.product((True, False), repeat=3):
        sight = Knowledge(asked, asked_sealed, True, level, has_sealed).sight(Viewer("client", key_sealed))
        both = asked_sealed and key_sealed
        if not asked or (level != 0 and not both):
            assert sight is None
        else:
            assert sight == Sight(both, level != 0, has_sealed and not both)


def test_of_a_case_that_was_never_read_there_is_nothing_to_hide() -> None:
    assert Knowledge(True, False, False, None).sight(Viewer("client", False)) == Sight(False)
    assert Knowledge(False, False, False, None).sight(Viewer("client", True)) is None


@pytest.mark.parametrize("word", [*SEALED_WORDS, *ODD_WORDS])
def test_every_word_but_the_public_one_is_sealed(word: str) -> None:
    assert not is_public_document(word)
    assert Sight(True).is_sealed(word)


@pytest.mark.parametrize("word", ["PUBLICO", "0", None])
def test_a_document_that_is_public_or_says_nothing_is_as_its_case(word: str | None) -> None:
    assert is_public_document(word)
    assert not Sight(True).is_sealed(word) and Sight(True, case_sealed=True).is_sealed(word)
    assert is_public(0, word) and not is_public(1, word) and not is_public(None, word)


@pytest.mark.parametrize(
    ("listed", "public"),
    [
        ({}, True),
        ({"nivelSigilo": "PUBLICO"}, True),
        ({"nivelSigilo": 0}, True),
        ({"nivelSigilo": None}, False),
        ({"nivelSigilo": {}}, False),
        ({"nivelSigilo": ""}, False),
        ({"nivelSigilo": True}, False),
        ({"nivelSigilo": 3}, False),
        ({"nivelSigilo": "SIGILO_DE_NOME_NOVO"}, False),
    ],
)
def test_what_a_listing_says_that_nobody_understands_is_sealed(listed: dict[str, object], public: bool) -> None:
    item = {"id": "0b9c4f3e-58b5-5d0c-9a4e-8e1f0c6c1d55", **listed}
    [document] = read_documents([Listing([item])], NUMBER)
    assert is_public_document(document.secrecy_level) is public


@pytest.mark.parametrize("other", ["PUBLICO", 0, ""])
@pytest.mark.parametrize("one", [*SEALED_WORDS, "SIGILO_DE_NOME_NOVO"])
def test_of_a_document_that_is_listed_twice_the_stricter_level_holds(one: object, other: object) -> None:
    item = {"id": "0b9c4f3e-58b5-5d0c-9a4e-8e1f0c6c1d55"}
    listings = [Listing([{**item, "nivelSigilo": level}]) for level in (one, other)]
    for order in (listings, listings[::-1]):
        [document] = read_documents(order, NUMBER)
        assert not is_public_document(document.secrecy_level)


def test_places_of_what_is_shown_have_no_gaps_and_lead_back() -> None:
    for hidden in itertools.chain.from_iterable(itertools.combinations(range(1, 8), count) for count in range(7)):
        left_out = LeftOut(hidden, frozenset({"sealed"}))
        shown = [position for position in range(1, 8) if position not in hidden]
        assert [left_out.place(position) for position in shown] == list(range(1, len(shown) + 1))
        assert [left_out.position(place) for place in range(1, len(shown) + 1)] == shown
    view = {"position": 5, "duplicate_of": "sealed", "id": "a"}
    assert LeftOut((2, 4), frozenset({"sealed"})).applied(view) == {"position": 3, "duplicate_of": None, "id": "a"}
    assert LeftOut((2,), frozenset({"b"})).applied(view)["duplicate_of"] == "sealed"
