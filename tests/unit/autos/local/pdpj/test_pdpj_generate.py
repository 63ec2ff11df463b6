"""A case is a function of its number: the same on every machine, every Python, every day."""

from __future__ import annotations

from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from autos.local.pdpj.control_model import CaseSetting, ExplicitDocument
from autos.local.pdpj.generate import generate
from autos.local.pdpj.model import SECRECY, ContentKind
from shared.domain.cnj import ProcessNumber, make, parse

NUMBER = parse("1000145-91.2023.8.26.0597")


def numbers() -> st.SearchStrategy[ProcessNumber]:
    courts = {1: [0], 3: [0], 4: [1, 6, 90], 5: [0, 1, 24], 6: [1, 27], 7: [1], 8: list(range(1, 28)), 9: [13, 21, 26]}
    return st.sampled_from(sorted(courts)).flatmap(
        lambda segment: st.builds(
            make,
            st.integers(0, 9_999_999),
            st.integers(1980, 2100),
            st.just(segment),
            st.sampled_from(courts[segment]),
            st.integers(0, 9999),
        )
    )


@given(numbers())
@settings(max_examples=60, deadline=None)
def test_every_number_is_the_same_case_each_time(number: ProcessNumber) -> None:
    first, second = generate(number, CaseSetting()), generate(number, CaseSetting())
    assert first == second
    assert 3 <= len(first.documents) <= 40
    assert len(first.by_id) == len(first.documents)
    assert first.parties and first.subjects and first.current.movements
    in_dockets = [d for docket in (first.current, *first.others) for d in docket.documents]
    assert sorted(d.index for d in in_dockets) == list(range(len(first.documents)))
    times = [document.filed_at for document in first.documents]
    assert times == sorted(times)
    assert all(document.filed_at.microsecond % 1000 == 0 for document in in_dockets)


def test_a_known_case_never_changes() -> None:
    # Written down once: a change here changes every expected sum that somebody recorded.
    case = generate(NUMBER, CaseSetting(documents=12))
    assert case.documents[0].document_id == "b919591d-7258-531e-9f9c-5594b1f9aac2"
    assert case.documents[11].document_id == "13aac9cb-d934-534d-9185-1d610d3a1ab8"
    assert [document.size for document in case.documents[:1]] == [generate(NUMBER, CaseSetting()).documents[0].size]


def test_a_case_that_grows_keeps_what_it_had() -> None:
    small, large = generate(NUMBER, CaseSetting(documents=20)), generate(NUMBER, CaseSetting(documents=300))
    assert large.documents[:20] == small.documents
    assert generate(NUMBER, CaseSetting(documents=20), extra_documents=280) == large
    assert large.last_update > small.last_update


def test_oddities_of_the_source_all_occur() -> None:
    case = generate(NUMBER, CaseSetting(documents=800, degrees=2, sealed_percent=15))
    documents = case.documents
    assert {document.degree for document in documents} == {1, 2}
    assert {document.kind for document in documents} == set(ContentKind) - {ContentKind.P7S, ContentKind.HTML_TURNED}
    assert {document.secrecy for document in documents} == set(SECRECY)
    assert any(not document.described for document in documents)
    assert any(document.type_code is None for document in documents)
    names = [document.name for document in documents]
    assert len(set(names)) < len(names)
    assert any(not name.isascii() for name in names) and any('"' in name for name in names)


def test_a_case_is_public_unless_it_is_said_otherwise() -> None:
    for setting in (CaseSetting(), CaseSetting(documents=300)):
        case = generate(NUMBER, setting)
        assert case.secrecy_level == 0 and {document.secrecy for document in case.documents} == {"PUBLICO"}
    assert generate(NUMBER, CaseSetting(secrecy_level=3)).secrecy_level == 3


def test_the_two_uuids_of_one_filing_share_everything_but_the_degree() -> None:
    case = generate(NUMBER, CaseSetting(documents=400, degrees=2))
    twins = [document for document in case.documents if document.filing_id != document.document_id]
    assert twins
    for twin in twins:
        original = case.by_id[twin.filing_id]
        assert (original.degree, twin.degree) == (1, 2)
        assert (twin.name, twin.size, twin.kind) == (original.name, original.size, original.kind)


def test_one_degree_when_so_set() -> None:
    case = generate(NUMBER, CaseSetting(documents=60, degrees=1))
    assert case.others == ()
    assert case.current.documents == case.documents


def test_an_empty_case_has_no_document_but_a_first_movement() -> None:
    case = generate(NUMBER, CaseSetting(documents=0))
    assert case.documents == ()
    assert len(case.current.movements) == 1


def test_explicit_documents_have_the_chosen_properties() -> None:
    chosen = ExplicitDocument(
        document_id=UUID("11111111-2222-4333-8444-555555555555"),
        name="Certidão nº 3",
        kind=ContentKind.HTML_LATIN1,
        size=1234,
        served_as="application/octet-stream",
        described=False,
    )
    case = generate(NUMBER, CaseSetting(documents=[ExplicitDocument(), chosen]))
    document = case.documents[1]
    assert document.document_id == "11111111-2222-4333-8444-555555555555"
    assert (document.name, document.size, document.kind) == ("Certidão nº 3", 1234, ContentKind.HTML_LATIN1)
    assert (document.content_type, document.described) == ("application/octet-stream", False)


@given(st.integers(1, 10_000), st.integers(1, 10_000))
@settings(max_examples=25, deadline=None)
def test_sizes_stay_in_the_range_that_was_set(one: int, other: int) -> None:
    case = generate(NUMBER, CaseSetting(documents=5, size=(one, other)))
    low, high = sorted((one, other))
    assert all(low <= document.size <= high for document in case.documents)


def test_no_tax_number_is_a_valid_one() -> None:
    for sequence in range(40):
        for party in generate(make(sequence, 2024, 8, 26, 100), CaseSetting(documents=1)).parties:
            digits = [int(digit) for digit in party.tax_id]
            length = 12 if party.is_company else 9
            weights = (5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2) if party.is_company else tuple(range(10, 1, -1))
            rest = sum(digit * weight for digit, weight in zip(digits[:length], weights, strict=True)) % 11
            assert digits[length] != (0 if rest < 2 else 11 - rest)
