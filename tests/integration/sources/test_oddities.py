"""Every oddity of a listing that the simulator can show changes the facts of the case that it has to, and no others."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from autos.local.pdpj.catalogue import SWITCHES
from autos.local.pdpj.control import ContentKind, ExplicitDocument, Oddity, OddityKind, SimulatorControl
from shared.domain.case import Case
from sources.base import CourtSource
from sources.pdpj.settings import Api
from tests.integration.sources.conftest import MakeSource
from tests.integration.sources.expected import FAILURES, NUMBER, ODDITIES, OTHER, PDF, SIZE, TEXT, outcome_of


def test_everything_that_can_be_switched_on_is_shown_here() -> None:
    assert {switch.name for switch in SWITCHES} == {*FAILURES, *ODDITIES}


async def facts(source: CourtSource, case: Case) -> dict[str, Any]:
    """What a client would see of the case and of its first document."""
    document = case.documents[0]
    return {
        "documents": len(case.documents),
        "outcome": await outcome_of(source, document),
        "id": document.document_id,
        "source_id": document.source_id,
        "size": document.size,
        "content_type": document.content_type,
        "pages": document.pages,
        "secrecy": document.secrecy_level,
        "hash": document.source_hash,
        "filed_at": document.filed_at,
        "courts": {one.court for one in case.documents},
        "unlisted": case.unlisted,
        "case_secrecy": case.secrecy_level,
        "case_filed_at": case.filed_at,
        "claim_value": case.claim_value,
        "movements": len(case.movements),
    }


def changes(before: dict[str, Any], after: dict[str, Any], expected: dict[str, Any]) -> dict[str, Any]:
    """The facts that are not as before; a value that only has to be another one counts as that."""
    changed = {name: value for name, value in after.items() if value != before[name]}
    return {name: OTHER if expected.get(name) is OTHER else value for name, value in changed.items()}


def put(pdpj: SimulatorControl, *kinds: OddityKind) -> None:
    documents = [ExplicitDocument(kind=ContentKind.PDF, size=SIZE) for _ in range(3)]
    pdpj.put_case(NUMBER, documents=documents, degrees=1, oddities=[Oddity(kind=kind) for kind in kinds])


@pytest.mark.parametrize("api", list(Api))
@pytest.mark.parametrize("kind", list(ODDITIES))
async def test_an_odd_listing(pdpj: SimulatorControl, make_source: MakeSource, api: Api, kind: OddityKind) -> None:
    source = make_source(api)
    put(pdpj)
    plain = await facts(source, await source.fetch_case(NUMBER))
    assert plain["outcome"] == PDF
    row = ODDITIES[kind]
    expected = row if isinstance(row, dict) else row[list(Api).index(api)]
    put(pdpj, kind)
    odd = await facts(source, await source.fetch_case(NUMBER))
    assert changes(plain, odd, expected) == expected


@pytest.mark.parametrize("api", list(Api))
async def test_a_file_that_comes_late_is_there_in_the_next_reading(
    pdpj: SimulatorControl, make_source: MakeSource, api: Api
) -> None:
    source = make_source(api)
    put(pdpj)
    plain = await facts(source, await source.fetch_case(NUMBER))
    put(pdpj, OddityKind.FILE_LATE)
    await source.fetch_case(NUMBER)
    assert await facts(source, await source.fetch_case(NUMBER)) == plain


@pytest.mark.parametrize("api", list(Api))
async def test_a_replaced_document_shows_by_its_listing_and_has_other_bytes(
    pdpj: SimulatorControl, make_source: MakeSource, api: Api
) -> None:
    source = make_source(api)
    put(pdpj, OddityKind.REPLACED)
    first = await facts(source, await source.fetch_case(NUMBER))
    second = await facts(source, await source.fetch_case(NUMBER))
    size = SIZE + 1 + SIZE // 10
    expected = {
        "size": size,
        "outcome": f"binary application/pdf {size}",
        "filed_at": first["filed_at"] + timedelta(hours=1),
    }
    if api is Api.DATA_LAKE:  # the portal tells nothing of the file but its size
        expected["hash"] = OTHER
    assert changes(first, second, expected) == expected


@pytest.mark.parametrize("kind", [OddityKind.TEXT_AS_JSON, OddityKind.TEXT_WITH_CONTROLS])
async def test_a_text_in_place_of_a_file_comes_in_both_forms(
    pdpj: SimulatorControl, make_source: MakeSource, kind: OddityKind
) -> None:
    put(pdpj, OddityKind.TEXT_ONLY, kind)
    source = make_source()
    document = (await source.fetch_case(NUMBER)).documents[0]
    expected = {OddityKind.TEXT_AS_JSON: TEXT, OddityKind.TEXT_WITH_CONTROLS: f"{TEXT[:-3]}124"}
    assert await outcome_of(source, document) == expected[kind]


async def test_a_signature_is_one_and_not_the_pdf_in_it(pdpj: SimulatorControl, make_source: MakeSource) -> None:
    pdpj.put_case(NUMBER, documents=[ExplicitDocument(kind=ContentKind.P7S, size=5000)])
    source = make_source()
    [document] = (await source.fetch_case(NUMBER)).documents
    assert await outcome_of(source, document) == "binary application/pkcs7-signature 5000"


@pytest.mark.parametrize("api", list(Api))
async def test_html_is_named_by_what_its_bytes_obey(pdpj: SimulatorControl, make_source: MakeSource, api: Api) -> None:
    pdpj.put_case(NUMBER, documents=[ExplicitDocument(kind=ContentKind.HTML_LATIN1, size=5000)])
    source = make_source(api)
    [document] = (await source.fetch_case(NUMBER)).documents
    charset = "iso-8859-1" if api is Api.PORTAL else "utf-8"
    assert await outcome_of(source, document) == f"binary text/html; charset={charset} 5000"
