"""Tokens against the simulator's Keycloak: one renewal for many, rotation, refusals that never lock the account."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pydantic import SecretStr

from autos.local.pdpj.control import Failure, FailureKind, SimulatorControl, SourceSetting, TokenSetting
from shared.domain import cnj
from sources.base import CourtSource
from sources.errors import CredentialsRefused, SourceError, SourceUnavailable
from sources.pdpj.auth.credentials import build_credentials, credential_name
from sources.pdpj.auth.token_store import MemoryCredentialStore
from sources.pdpj.client import build_source
from tests.integration.sources.conftest import MakeSource, pdpj_settings
from tests.support import wait_until_async

NUMBER = cnj.make(4200, 2024, 8, 26, 100)


def log_in(pdpj: SimulatorControl, **changes: object) -> dict[str, Any]:
    return {
        "pdpj_access_token": None,
        "pdpj_token_url": pdpj.token_url,
        "pdpj_client_id": "autos",
        "pdpj_client_secret": SecretStr("a secret: + and %"),
        **changes,
    }


async def test_client_credentials_log_in_once(pdpj: SimulatorControl, make_source: MakeSource) -> None:
    pdpj.configure_tokens(TokenSetting(client_id="autos", client_secret="a secret: + and %"))
    source = make_source(**log_in(pdpj))
    await asyncio.gather(*(source.fetch_case(NUMBER) for _ in range(8)))
    assert pdpj.metrics().token_requests == 1


async def test_32_rejected_at_once_renew_once(pdpj: SimulatorControl, make_source: MakeSource) -> None:
    source = make_source(**log_in(pdpj))
    await source.fetch_case(NUMBER)
    pdpj.revoke_tokens()
    pdpj.reset_metrics()
    cases = await asyncio.gather(*(source.fetch_case(NUMBER) for _ in range(32)))
    assert len(cases) == 32
    assert pdpj.metrics().token_requests == 1


async def test_expired_token_is_renewed_before_it_is_used(pdpj: SimulatorControl, make_source: MakeSource) -> None:
    pdpj.configure_tokens(TokenSetting(expires_in=1))
    source = make_source(**log_in(pdpj))
    await source.fetch_case(NUMBER)

    async def renewed() -> bool:
        await source.fetch_case(NUMBER)
        return pdpj.metrics().token_requests >= 2

    await wait_until_async(renewed)
    assert pdpj.metrics().by_status.get("401", 0) == 0


async def test_refresh_token_rotates_and_is_kept_before_use(pdpj: SimulatorControl) -> None:
    issued = pdpj.issue_tokens()
    settings = pdpj_settings(
        pdpj, **log_in(pdpj, pdpj_refresh_token=SecretStr(issued.refresh_token), pdpj_client_secret=None)
    )
    store = MemoryCredentialStore()
    used: list[str | None] = []
    for _ in range(3):  # three processes, one after the other
        source = build_source(settings, credentials=build_credentials(settings, store=store))
        await source.fetch_case(NUMBER)
        kept = await store.load(credential_name(settings))
        used.append(kept.refresh_token)
        pdpj.revoke_tokens()
        await source.fetch_case(NUMBER)
        await source.aclose()
    assert None not in used
    assert len({*used, issued.refresh_token}) == 4
    assert pdpj.metrics().refused_logins == 0


async def test_wrong_secret_stops_after_a_few_log_ins(pdpj: SimulatorControl, make_source: MakeSource) -> None:
    pdpj.configure_tokens(TokenSetting(client_secret="another", lock_after=3))
    source = make_source(**log_in(pdpj))
    results = await asyncio.gather(*(source.fetch_case(NUMBER) for _ in range(32)), return_exceptions=True)
    results += [await _error(source) for _ in range(5)]
    refused = [result for result in results if isinstance(result, CredentialsRefused)]
    assert len(refused) == len(results)
    assert all(0 < (result.retry_after or 0) <= 5 for result in refused)
    assert pdpj.metrics().refused_logins == 1
    assert not pdpj.metrics().account_locked


async def test_fresh_tokens_that_are_rejected_end_in_credentials_refused(
    pdpj: SimulatorControl, make_source: MakeSource
) -> None:
    pdpj.outage(FailureKind.UNAUTHORIZED_TOKEN)
    source = make_source(**log_in(pdpj))
    for _ in range(5):
        assert isinstance(await _error(source), CredentialsRefused)
    assert pdpj.metrics().token_requests == 2


async def test_one_document_that_rejects_every_token_does_not_stop_the_source(
    pdpj: SimulatorControl, make_source: MakeSource
) -> None:
    pdpj.put_case(NUMBER, documents=2, size=1000, failures=[Failure(kind=FailureKind.UNAUTHORIZED_TOKEN, document=0)])
    source = make_source(**log_in(pdpj))
    bad = pdpj.case(NUMBER, hashes=False).documents[0].document_id
    case = await source.fetch_case(NUMBER)
    for _ in range(6):
        for document in case.documents:
            try:
                async with source.open_document(document.source_path or "") as stream:
                    assert sum([len(piece) async for piece in stream.aiter_bytes()]) == 1000
                assert document.document_id != bad
            except SourceError as error:
                assert (document.document_id, error.code) == (bad, "token_rejected")
    assert pdpj.metrics().token_requests <= 4  # no storm of log-ins


async def test_fixed_token_that_is_rejected(pdpj: SimulatorControl, make_source: MakeSource) -> None:
    source = make_source(pdpj_access_token=SecretStr("unknown"))
    assert isinstance(await _error(source), CredentialsRefused)
    assert pdpj.metrics().token_requests == 0


@pytest.mark.parametrize(
    "kind",
    [
        FailureKind.BAD_GATEWAY_502,
        FailureKind.HANG,
        FailureKind.RESET,
        FailureKind.SHORT_BODY,
        FailureKind.EMPTY_BODY,
        FailureKind.SPA_SHELL,
        FailureKind.ERROR_500,
        FailureKind.FIREWALL_403,
    ],
)
async def test_token_endpoint_that_is_down_is_a_source_that_is_away(
    pdpj: SimulatorControl, make_source: MakeSource, kind: FailureKind
) -> None:
    pdpj.configure_source(SourceSetting(token_outage=kind))
    source = make_source(**log_in(pdpj))
    assert isinstance(await _error(source), SourceUnavailable)
    pdpj.configure_source(SourceSetting())
    await source.fetch_case(NUMBER)


async def _error(source: CourtSource) -> SourceError:
    with pytest.raises(SourceError) as raised:
        await source.fetch_case(NUMBER)
    return raised.value
