"""Everything that can be switched on is in the catalogue, with a line of its own, and can be switched on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from autos.local.pdpj.catalogue import SWITCHES
from autos.local.pdpj.control_model import CaseSetting
from autos.local.pdpj.exchange import Reply, Request
from autos.local.pdpj.failures import FailureKind, FailureRule
from autos.local.pdpj.oddities import OF_A_CASE, OddityKind
from autos.local.pdpj.playing import failure
from autos.local.pdpj.server import Simulator
from autos.local.pdpj.source import Source
from shared.domain.cnj import make

NUMBER = make(77, 2022, 8, 26, 9999)
ROOTS = (f"/portal/api/v2/processos/{NUMBER}", f"/datalake/processo-api/api/v1/processos/{NUMBER}")
CONTENT_ONLY = {OddityKind.TEXT_AS_JSON, OddityKind.TEXT_WITH_CONTROLS}


def of(set_in: str) -> dict[str, str]:
    return {switch.name: switch.about for switch in SWITCHES if switch.set_in == set_in}


def test_every_failure_and_every_oddity_is_in_the_catalogue_once() -> None:
    assert set(of("failures")) == set(FailureKind)
    assert set(of("oddities")) == set(OddityKind)
    assert len({switch.name for switch in SWITCHES}) == len(SWITCHES) == len({switch.line for switch in SWITCHES})


def test_what_an_oddity_is_about_is_what_it_changes() -> None:
    about = of("oddities")
    assert {name for name in about if about[name] == "case"} == OF_A_CASE


@pytest.mark.parametrize("kind", list(FailureKind))
def test_every_failure_can_be_played(kind: FailureKind) -> None:
    def good() -> Reply:
        return Reply(200, b"Content-Type: text/html; charset=utf-8\r\n", b"%PDF-1.4 0123456789 %%EOF\n")

    rule = FailureRule(kind, retry_after=3)
    assert failure(rule, good(), "/here") != good()


@pytest.fixture
def source() -> Source:
    return Source(clock=lambda: datetime.now(UTC), monotonic=lambda: 0.0, access_tokens=["token"])


def answers(source: Source) -> list[bytes]:
    simulator: Callable[[Request], Any] = Simulator(source)
    paths = (*ROOTS, f"{ROOTS[1]}/documentos")
    return [simulator(Request("GET", path, "", "Bearer token", b"", True)).body for path in paths]


@pytest.mark.parametrize("kind", sorted(set(OddityKind) - CONTENT_ONLY))
def test_every_oddity_changes_what_is_shown(source: Source, kind: OddityKind) -> None:
    source.cases.put(NUMBER, setting())
    plain = answers(source)
    source.cases.put(NUMBER, setting(kind))
    assert answers(source) + answers(source) != plain + plain


def setting(*kinds: OddityKind) -> CaseSetting:
    oddities = [{"kind": kind} for kind in kinds]
    documents = [{"kind": "pdf", "size": 90_000} for _ in range(6)]
    return CaseSetting.model_validate({"documents": documents, "degrees": 1, "oddities": oddities})


def test_the_control_route_lists_them(source: Source) -> None:
    reply = Simulator(source)(Request("GET", "/_control/oddities", "", None, b"", True))
    assert isinstance(reply, Reply) and isinstance(reply.body, bytes)
    assert orjson.loads(reply.body) == [switch.model_dump() for switch in SWITCHES]
