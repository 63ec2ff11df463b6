"""Every failure of an answer that the simulator can play ends as an error with its verdict, or is overcome."""

from __future__ import annotations

from typing import Final

import pytest

from autos.local.pdpj.control import ContentKind, ExplicitDocument, Failure, FailureKind, SimulatorControl
from sources.errors import SourceError
from sources.pdpj.settings import Api
from tests.integration.sources.conftest import MakeSource
from tests.integration.sources.expected import FAILURES, NUMBER, SIZE, outcome_of, told

_TIMED: Final = {FailureKind.DRIP, FailureKind.HANG}
"""They last as long as the client waits, so one interface is enough."""
BOTH_FAILURES: Final = [(api, kind) for kind in FAILURES for api in Api if api is Api.PORTAL or kind not in _TIMED]


@pytest.mark.parametrize(("api", "kind"), BOTH_FAILURES)
async def test_a_failing_answer(pdpj: SimulatorControl, make_source: MakeSource, api: Api, kind: FailureKind) -> None:
    content = ContentKind.HTML if kind is FailureKind.OTHER_CHARSET else ContentKind.PDF
    documents = [ExplicitDocument(kind=content, size=SIZE)]
    source = make_source(api)
    of_document, of_case = FAILURES[kind]

    pdpj.put_case(NUMBER, documents=documents, failures=[Failure(kind=kind, retry_after=2)])
    [document] = (await source.fetch_case(NUMBER)).documents
    assert await outcome_of(source, document) == of_document
    # The client repeats no request but for a 401 with a renewed token, and a redirect.
    at_most = 2 if kind in (FailureKind.UNAUTHORIZED_TOKEN, FailureKind.REDIRECT_SAME_ORIGIN) else 1
    assert sum(pdpj.case_metrics(NUMBER).document_requests.values()) <= at_most

    if of_case is not None:
        pdpj.put_case(NUMBER, documents=documents, failures=[Failure(kind=kind, on="case", retry_after=2)])
        try:
            seen = "read" if (await source.fetch_case(NUMBER)).documents else "empty"
        except SourceError as error:
            seen = told(error)
        assert seen == of_case


@pytest.mark.parametrize("kind", [FailureKind.JSON_ERROR, FailureKind.FIREWALL_F5, FailureKind.LOGIN_KEYCLOAK])
@pytest.mark.parametrize("content_type", ["application/pdf", "application/octet-stream", "text/plain"])
async def test_what_comes_in_place_of_a_document_is_known_whatever_its_type_says(
    pdpj: SimulatorControl, make_source: MakeSource, kind: FailureKind, content_type: str
) -> None:
    failure = Failure(kind=kind, content_type=content_type)
    pdpj.put_case(NUMBER, documents=[ExplicitDocument(kind=ContentKind.PDF, size=SIZE)], failures=[failure])
    source = make_source()
    [document] = (await source.fetch_case(NUMBER)).documents
    assert await outcome_of(source, document) == FAILURES[kind][0]


@pytest.mark.parametrize(
    "kind",
    [FailureKind.ERROR_500, FailureKind.FIREWALL_AKAMAI, FailureKind.NULL_CONTENT, FailureKind.GATEWAY_404,
     FailureKind.NO_ACCESS_403, FailureKind.SHORT_BODY],
)  # fmt: skip
async def test_a_list_that_fails_costs_the_lakes_case_nothing(
    pdpj: SimulatorControl, make_source: MakeSource, kind: FailureKind
) -> None:
    pdpj.put_case(NUMBER, documents=4, failures=[Failure(kind=kind, on="list")])
    case = await make_source(Api.DATA_LAKE).fetch_case(NUMBER)
    assert (len(case.documents), case.unlisted) == (4, True)


@pytest.mark.parametrize(
    ("kind", "seen"),
    [
        (None, "process_not_found permanent"),
        (FailureKind.NOT_FOUND_404, "process_not_found permanent"),
        (FailureKind.NULL_CONTENT, "process_not_found permanent"),
        (FailureKind.EMPTY_CONTENT, "process_not_found permanent"),
        (FailureKind.GATEWAY_404, "source_error retry"),
        (FailureKind.FIREWALL_CLOUDFLARE, "source_error retry"),
        (FailureKind.MAINTENANCE, "source_error retry"),
        (FailureKind.JSON_ERROR, "source_error retry"),
        (FailureKind.ERROR_500, "source_error retry"),
    ],
)
async def test_only_the_lakes_search_says_that_a_case_is_absent(
    pdpj: SimulatorControl, make_source: MakeSource, kind: FailureKind | None, seen: str
) -> None:
    failures = [Failure(kind=kind, on="search")] if kind is not None else []
    pdpj.put_case(NUMBER, exists=False, failures=failures)
    with pytest.raises(SourceError) as raised:
        await make_source(Api.DATA_LAKE).fetch_case(NUMBER)
    assert told(raised.value) == seen
