"""A PDPJ simulator in its own process for this folder, and sources that read it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

import pytest
from pydantic import SecretStr

from autos.local.pdpj.control import SimulatorControl
from sources.base import CourtSource
from sources.gate.gate import SourceGate
from sources.pdpj.auth.credentials import build_credentials
from sources.pdpj.client import build_source
from sources.pdpj.settings import Api, PdpjSettings
from tests.simulated import TOKEN, pdpj, simulator

__all__ = ["pdpj", "simulator"]


class MakeSource(Protocol):
    def __call__(
        self, api: Api = Api.PORTAL, *, limiter: SourceGate | None = None, **changes: object
    ) -> CourtSource: ...


def pdpj_settings(control: SimulatorControl, api: Api = Api.PORTAL, **changes: object) -> PdpjSettings:
    """Settings with a fixed token unless ``changes`` say otherwise; short time-outs."""
    fields: dict[str, object] = {
        "pdpj_api": api,
        "pdpj_base_url": control.portal_url if api is Api.PORTAL else control.data_lake_url,
        "pdpj_access_token": SecretStr(TOKEN),
        "pdpj_connect_timeout": 5.0,
        "pdpj_read_timeout": 0.5,
        **changes,
    }
    return PdpjSettings(_env_file=None, **fields)  # type: ignore[arg-type]


@pytest.fixture
async def make_source(pdpj: SimulatorControl) -> AsyncIterator[MakeSource]:
    """Makes sources, and closes them at the end."""
    made: list[CourtSource] = []

    def make(api: Api = Api.PORTAL, *, limiter: SourceGate | None = None, **changes: object) -> CourtSource:
        settings = pdpj_settings(pdpj, api, **changes)
        source = build_source(settings, credentials=build_credentials(settings), limiter=limiter)
        made.append(source)
        return source

    yield make
    for source in made:
        await source.aclose()
