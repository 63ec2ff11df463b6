"""A stored case that has to be read again is asked for by its version where the source has one: the data lake."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import Engine, text

from autos.local.pdpj.control import Failure, FailureKind, SimulatorControl
from sources.base import CourtSource
from sources.pdpj.auth.credentials import build_credentials
from sources.pdpj.client import build_source
from sources.pdpj.settings import Api, PdpjSettings
from tests.integration.api.scripted import ApiTools, MakeNumber, Progress
from tests.simulated import TOKEN, pdpj, simulator

__all__ = ["pdpj", "simulator"]


@pytest.fixture(params=list(Api))
def interface(request: pytest.FixtureRequest) -> Api:
    found: Api = request.param
    return found


@pytest.fixture
async def source(pdpj: SimulatorControl, interface: Api) -> AsyncIterator[CourtSource]:
    """In place of the scripted source of the other tests: the real one, reading the simulator."""
    settings = PdpjSettings(
        _env_file=None,
        pdpj_api=interface,
        pdpj_base_url=pdpj.portal_url if interface is Api.PORTAL else pdpj.data_lake_url,
        pdpj_access_token=SecretStr(TOKEN),
    )
    made = build_source(settings, credentials=build_credentials(settings))
    yield made
    await made.aclose()


def make_old(owner: Engine, number: str) -> None:
    """As if the case had been read two days ago."""
    with owner.begin() as connection:
        connection.execute(
            text("UPDATE catalog.processes SET fetched_at = fetched_at - :age WHERE process_number = :n"),
            {"age": timedelta(days=2), "n": number},
        )


@pytest.mark.parametrize("why", ["refresh", "age"])
async def test_an_unchanged_case_is_read_again_only_where_there_is_no_version(
    tools: ApiTools,
    api: httpx.AsyncClient,
    pdpj: SimulatorControl,
    interface: Api,
    why: str,
) -> None:
    number = tools.process_number()
    pdpj.put_case(number, documents=2)
    first = (await api.get(f"/processes/{number}")).json()
    tools.progress.finish(first)
    assert pdpj.case_metrics(number).case_requests == 1
    if why == "age":
        make_old(tools.owner, number)
    second = (await api.get(f"/processes/{number}", params={"refresh": str(why == "refresh").lower()})).json()
    assert pdpj.case_metrics(number).case_requests == (2 if interface is Api.PORTAL else 1)
    assert second["job"]["job_id"] != first["job"]["job_id"], "it makes a job all the same"
    assert second["fetched_at"] > first["fetched_at"] and second["stale"] is False
    assert {**second, "job": None, "fetched_at": None, "documents": []} == {
        **first,
        "job": None,
        "fetched_at": None,
        "documents": [],
    }
    assert [document["status"] for document in second["documents"]] == ["available"] * 2
    assert len(tools.stored.events(number, "autos.process.requested")) == 2


async def test_a_changed_case_is_read(
    api: httpx.AsyncClient, pdpj: SimulatorControl, progress: Progress, process_number: MakeNumber
) -> None:
    number = process_number()
    pdpj.put_case(number, documents=1)
    progress.finish((await api.get(f"/processes/{number}")).json())
    pdpj.put_case(number, documents=2)
    view = (await api.get(f"/processes/{number}", params={"refresh": "true"})).json()
    assert sorted(document["status"] for document in view["documents"]) == ["available", "processing"]
    progress.finish(view)
    assert pdpj.case_metrics(number).case_requests == 2


async def test_a_version_that_does_not_come_means_that_the_case_is_read(
    api: httpx.AsyncClient, pdpj: SimulatorControl, progress: Progress, process_number: MakeNumber
) -> None:
    number = process_number()
    pdpj.put_case(number, documents=1, failures=[Failure(kind=FailureKind.BAD_GATEWAY_502, on="last_update")])
    for reads in (1, 2):
        answer = await api.get(f"/processes/{number}", params={"refresh": "true"})
        assert answer.status_code == 200
        progress.finish(answer.json())
        assert pdpj.case_metrics(number).case_requests == reads
