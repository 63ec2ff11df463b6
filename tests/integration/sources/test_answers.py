"""Each row of the table of answers (docs/reference/pdpj.md, "What each answer means"), on both APIs."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import replace

import pytest

from autos.local.pdpj.control import ContentKind, ExplicitDocument, Failure, FailureKind, SimulatorControl
from shared.domain import cnj
from shared.domain.case import Case, CaseDocument
from sources.base import CourtSource
from sources.errors import SourceError, SourceTimeout, Verdict
from sources.pdpj.settings import Api
from sources.pdpj.wire.stream import DocumentStream
from tests.integration.sources.conftest import MakeSource
from tests.support import wait_until_async

NUMBER = cnj.make(4100, 2024, 8, 26, 100)
BOTH = pytest.mark.parametrize("api", list(Api))


async def read(source: CourtSource, path: str) -> bytes:
    async with source.open_document(path) as stream:
        return b"".join([piece async for piece in stream.aiter_bytes()])


async def failure_of_document(source: CourtSource, number: str = NUMBER) -> SourceError:
    case = await source.fetch_case(number)
    with pytest.raises(SourceError) as raised:
        await read(source, case.documents[0].source_path or "")
    return raised.value


@BOTH
async def test_unknown_case_is_not_found(pdpj: SimulatorControl, make_source: MakeSource, api: Api) -> None:
    pdpj.put_case(NUMBER, exists=False)
    with pytest.raises(SourceError) as raised:
        await make_source(api).fetch_case(NUMBER)
    assert raised.value.code == "process_not_found"


@BOTH
async def test_every_document_arrives_as_it_is(pdpj: SimulatorControl, make_source: MakeSource, api: Api) -> None:
    pdpj.put_case(NUMBER, documents=12, size=(500, 300_000), degrees=2)
    source = make_source(api)
    expected = {document.document_id: document for document in pdpj.case(NUMBER, api=api.value).documents}
    case = await source.fetch_case(NUMBER)
    assert {document.document_id for document in case.documents} == set(expected)
    assert len(case.documents) == len(expected)
    for document in case.documents:
        wanted = expected[document.document_id]
        async with source.open_document(document.source_path or "") as stream:
            assert isinstance(stream, DocumentStream)
            assert stream.expected_length == wanted.size
            assert stream.content_type == wanted.content_type
            assert stream.filename is not None
            assert stream.filename.startswith(document.document_id)
            body = b"".join([piece async for piece in stream.aiter_bytes()])
        assert hashlib.sha256(body).hexdigest() == wanted.sha256
        assert document.name == wanted.name


def _common(case: Case) -> list[CaseDocument]:
    """The documents without what only one of the interfaces tells, or tells in other words."""
    documents = [replace(d, pages=None, source_hash=None, degree=None) for d in case.documents]
    return sorted(documents, key=lambda document: document.document_id)


async def test_both_apis_tell_the_same_case(pdpj: SimulatorControl, make_source: MakeSource) -> None:
    pdpj.put_case(NUMBER, documents=20, degrees=2)
    portal = await make_source(Api.PORTAL).fetch_case(NUMBER)
    lake = await make_source(Api.DATA_LAKE).fetch_case(NUMBER)
    assert _common(portal) == _common(lake)
    for name in ("court", "class_", "subjects", "filed_at", "claim_value", "secrecy_level"):
        assert getattr(portal, name) == getattr(lake, name), name
    assert [{**party, "role": None} for party in lake.parties] == portal.parties
    assert [{**movement, "code": None} for movement in lake.movements] == portal.movements
    assert portal.parties
    assert portal.movements
    assert portal.filed_at is not None


async def test_each_api_tells_what_the_other_leaves_out(pdpj: SimulatorControl, make_source: MakeSource) -> None:
    """The portal knows no pages, no roles and no codes of movements; the lake has no degree but the instance."""
    pdpj.put_case(NUMBER, documents=20, degrees=2)
    portal = await make_source(Api.PORTAL).fetch_case(NUMBER)
    lake = await make_source(Api.DATA_LAKE).fetch_case(NUMBER)
    assert {document.pages for document in portal.documents} == {None}
    assert {type(document.pages) for document in lake.documents} == {int, type(None)}
    assert {party["role"] for party in portal.parties} == {None}
    assert {party["role"] for party in lake.parties} == {"AUTOR", "REU"}
    assert all(movement["code"] is not None for movement in lake.movements)
    assert {document.degree for document in portal.documents} == {"G1", "G2"}
    assert {document.degree for document in lake.documents} == {"PRIMEIRO_GRAU", "SEGUNDO_GRAU"}


async def test_retry_after_in_seconds_and_as_a_date(pdpj: SimulatorControl, make_source: MakeSource) -> None:
    source = make_source()
    for given, least, most in ((7, 7.0, 7.0), ("Fri, 31 Dec 2100 23:59:59 GMT", 3600.0, 3600.0)):
        pdpj.outage(FailureKind.RATE_LIMIT, retry_after=given)
        with pytest.raises(SourceError) as raised:
            await source.fetch_case(NUMBER)
        assert raised.value.retry_after is not None
        assert least <= raised.value.retry_after <= most
    pdpj.outage(FailureKind.RATE_LIMIT, retry_after="soon")
    with pytest.raises(SourceError) as raised:
        await source.fetch_case(NUMBER)
    assert raised.value.retry_after is None


async def test_wrong_base_address_is_no_permanent_failure_of_the_case(
    pdpj: SimulatorControl, make_source: MakeSource
) -> None:
    source = make_source(pdpj_base_url=f"{pdpj.address}/elsewhere")
    with pytest.raises(SourceError) as raised:
        await source.fetch_case(NUMBER)
    assert (raised.value.code, raised.value.verdict) == ("source_unavailable", Verdict.SOURCE_AWAY)
    assert "shell page" in raised.value.message


async def test_last_update_changes_when_the_case_grows(pdpj: SimulatorControl, make_source: MakeSource) -> None:
    pdpj.put_case(NUMBER, documents=2)
    lake = make_source(Api.DATA_LAKE)
    first = await lake.last_update(NUMBER)
    assert first is not None
    assert await lake.last_update(NUMBER) == first
    pdpj.put_case(NUMBER, documents=3)
    assert await lake.last_update(NUMBER) != first
    pdpj.put_case(NUMBER, exists=False)
    with pytest.raises(SourceError) as raised:
        await lake.last_update(NUMBER)
    assert raised.value.code == "source_error", "the lake answers 500 for a case that it does not have"
    assert await make_source(Api.PORTAL).last_update(NUMBER) is None


async def test_a_version_that_hangs_is_given_up_in_time_and_its_connection_closed(
    pdpj: SimulatorControl, make_source: MakeSource
) -> None:
    pdpj.put_case(NUMBER, failures=[Failure(kind=FailureKind.HANG, on="last_update")])
    with pytest.raises(SourceTimeout):
        await make_source(Api.DATA_LAKE, pdpj_read_timeout=50.0).last_update(NUMBER, within=0.3)
    await wait_until_async(lambda: pdpj.metrics().in_flight == 0)


async def test_a_path_that_is_no_document_is_never_asked_for(pdpj: SimulatorControl, make_source: MakeSource) -> None:
    source = make_source()
    pdpj.reset_metrics()
    for path in (
        "/processos/../../token",
        "//other.example/x",
        f"/processos/{NUMBER}/documentos/x/y/binario",
        f"/processos/{NUMBER}/documentos/../binario",
        "",
    ):
        with pytest.raises(SourceError) as raised:
            async with source.open_document(path):
                pass
        assert raised.value.code == "no_address"
    assert pdpj.metrics().requests_total == 0


async def test_content_type_follows_the_bytes(pdpj: SimulatorControl, make_source: MakeSource) -> None:
    served = ExplicitDocument(served_as="application/octet-stream", size=5000, kind=ContentKind.PDF)
    pdpj.put_case(NUMBER, documents=[served])
    source = make_source()
    case = await source.fetch_case(NUMBER)
    async with source.open_document(case.documents[0].source_path or "") as stream:
        assert stream.content_type == "application/pdf"


@pytest.mark.parametrize("after", [0, 1, 5000, 90_000])
async def test_body_that_hangs_breaks_or_ends_early_is_never_whole(
    pdpj: SimulatorControl, make_source: MakeSource, after: int
) -> None:
    codes = {}
    for kind in (FailureKind.RESET, FailureKind.HANG, FailureKind.SHORT_BODY):
        pdpj.put_case(NUMBER, documents=1, size=100_000, failures=[Failure(kind=kind, after_bytes=after)])
        codes[kind] = (await failure_of_document(make_source())).code
    assert codes == {
        FailureKind.RESET: "source_unavailable",
        FailureKind.HANG: "source_unavailable",
        FailureKind.SHORT_BODY: "short_body",
    }


@pytest.mark.parametrize("size", [30_000, 1_000_000])
async def test_document_that_drips_is_given_up(pdpj: SimulatorControl, make_source: MakeSource, size: int) -> None:
    pdpj.put_case(NUMBER, documents=1, size=size, bytes_per_second=size / 15)
    source = make_source(pdpj_min_bytes_per_second=130_000, pdpj_connect_timeout=0.5)
    error = await failure_of_document(source)
    assert error.code == "source_unavailable"


async def test_document_larger_than_allowed_is_refused_before_it_is_read(
    pdpj: SimulatorControl, make_source: MakeSource
) -> None:
    pdpj.put_case(NUMBER, documents=1, size=100_000)
    error = await failure_of_document(make_source(pdpj_max_document_bytes=50_000))
    assert error.code == "document_too_large"


@pytest.mark.parametrize(("latency", "bytes_per_second"), [(30.0, None), (0.0, 2000.0)])
async def test_callers_deadline_ends_the_read_and_frees_the_connection(
    pdpj: SimulatorControl, make_source: MakeSource, latency: float, bytes_per_second: float | None
) -> None:
    """Before the head of the answer the connection lives for the read time-out at most, in the body no longer."""
    pdpj.put_case(NUMBER, documents=1, size=100_000, latency=latency, bytes_per_second=bytes_per_second)
    source = make_source(pdpj_read_timeout=2.0)
    path = f"/processos/{NUMBER}/documentos/{pdpj.case(NUMBER, hashes=False).documents[0].document_id}/binario"
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await read(source, path)
    await wait_until_async(lambda: pdpj.metrics().in_flight == 0)


async def test_half_read_document_can_be_left(pdpj: SimulatorControl, make_source: MakeSource) -> None:
    pdpj.put_case(NUMBER, documents=1, size=5_000_000, kind=ContentKind.PDF)
    source = make_source()
    case = await source.fetch_case(NUMBER)
    async with source.open_document(case.documents[0].source_path or "") as stream:
        async for piece in stream.aiter_bytes():
            assert piece.startswith(b"%PDF-")
            break
    assert len(await read(source, case.documents[0].source_path or "")) == 5_000_000
