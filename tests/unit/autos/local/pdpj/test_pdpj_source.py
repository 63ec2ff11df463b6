"""Addresses, limits, growth and counters of the source."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from autos.local.pdpj.addresses import SEARCH, Read, address_of
from autos.local.pdpj.cases import CaseStore
from autos.local.pdpj.control_model import CaseSetting, Growth, SourceSetting, TokenSetting
from autos.local.pdpj.counters import Counters
from autos.local.pdpj.source import Source
from shared.domain.cnj import make, parse

NUMBER = parse("1000145-91.2023.8.26.0597")


class Seconds:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def source(seconds: Seconds | None = None) -> Source:
    return Source(clock=lambda: datetime.now(UTC), monotonic=seconds or Seconds(), access_tokens=["first"])


@pytest.mark.parametrize(
    ("method", "path", "read"),
    [
        ("GET", "/portal/api/v2/processos/N", Read.PORTAL_CASE),
        ("GET", "/portal/api/v2/processos/N/documentos/D/binario", Read.PORTAL_DOCUMENT),
        ("GET", "/portal/api/v2/processos/N/documentos/D/texto", Read.PORTAL_TEXT),
        ("GET", "/datalake/processo-api/api/v1/processos/N", Read.DATA_LAKE_CASE),
        ("GET", "/datalake/processo-api/api/v1/processos/N/documentos", Read.DATA_LAKE_DOCUMENTS),
        ("GET", "/datalake/processo-api/api/v1/processos/N/documentos/D/binario", Read.DATA_LAKE_DOCUMENT),
        ("GET", "/datalake/processo-api/api/v1/processos/N/documentos/D/texto", Read.DATA_LAKE_TEXT),
        ("GET", "/datalake/processo-api/api/v1/processos/N/documentos/D/binario-url", Read.DATA_LAKE_DOCUMENT_URL),
        ("GET", "/datalake/processo-api/api/v1/processos/N/movimentos", Read.DATA_LAKE_MOVEMENTS),
        ("GET", "/datalake/processo-api/api/v1/processos/N/partes", Read.DATA_LAKE_PARTIES),
        ("GET", "/datalake/processo-api/api/v1/processos/N/existe", Read.DATA_LAKE_EXISTS),
        ("GET", "/datalake/processo-api/api/v1/processos/N/possui-acesso", Read.DATA_LAKE_ACCESS),
        ("HEAD", "/datalake/processo-api/api/v1/processos/N/ultima-atualizacao", Read.DATA_LAKE_LAST_UPDATE),
    ],
)
def test_addresses_of_both_apis(method: str, path: str, read: Read) -> None:
    address = address_of(method, path)
    assert address is not None
    assert (address.read, address.number) == (read, "N")


@pytest.mark.parametrize("path", ["/portal/api/v2/processos", "/datalake/processo-api/api/v1/processos"])
def test_both_apis_have_a_search(path: str) -> None:
    address = address_of("GET", path)
    assert address is not None
    assert address.read in SEARCH


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/portal/api/v2/processos/"),
        ("GET", "/portal/api/v2/processos/N/documentos"),
        ("GET", "/portal/processos/N/documentos/D/binario"),
        ("GET", "/portal/api/v2/processos/N/documentos/D/binario-url"),
        ("GET", "/portal/api/v2/processos/N/existe"),
        ("GET", "/portal/api/v2/processosN"),
        ("POST", "/portal/api/v2/processos/N"),
        ("HEAD", "/portal/api/v2/processos/N/ultima-atualizacao"),
    ],
)
def test_every_other_address_is_none_of_the_api(method: str, path: str) -> None:
    assert address_of(method, path) is None


def test_the_rate_limit_has_a_burst_of_one_second_and_refills() -> None:
    seconds = Seconds()
    limited = source(seconds)
    limited.configure(SourceSetting(rate_limit=10.0))
    assert [limited.admits() for _ in range(12)] == [True] * 10 + [False] * 2
    seconds.now += 0.25
    assert [limited.admits() for _ in range(3)] == [True, True, False]
    seconds.now += 60
    assert [limited.admits() for _ in range(11)] == [True] * 10 + [False]


def test_the_concurrency_limit_counts_the_request_itself() -> None:
    limited = source()
    limited.configure(SourceSetting(concurrency_limit=2))
    answers = []
    for _ in range(3):
        limited.counters.began()
        answers.append(limited.admits())
    assert answers == [True, True, False]


def test_reset_brings_back_the_first_state_and_keeps_given_tokens() -> None:
    changed = source()
    given = changed.tokens.issue().access_token
    changed.cases.put(NUMBER, CaseSetting(exists=False))
    changed.configure(SourceSetting(latency=3.0))
    changed.tokens.setting = TokenSetting(lock_after=1)
    changed.tokens.refresh("unknown")
    assert changed.tokens.locked
    changed.reset()
    assert changed.cases.setting(NUMBER).exists
    assert changed.setting == SourceSetting()
    assert not changed.tokens.locked and changed.tokens.refused == 0
    assert changed.tokens.is_valid(given) and changed.tokens.is_valid("first")


def test_a_case_grows_after_its_reads_and_the_list_belongs_to_the_last_read() -> None:
    store = CaseStore()
    store.put(NUMBER, CaseSetting(documents=5, grow=Growth(documents=2, after_reads=2)))

    def sizes() -> tuple[int, int]:
        return len(store.read(NUMBER).case.documents), len(store.last_read(NUMBER).case.documents)

    assert [sizes(), sizes(), sizes()] == [(5, 5), (5, 5), (7, 7)]
    assert len(store.get(NUMBER).case.documents) == 7


def test_the_store_keeps_the_cases_used_last() -> None:
    store = CaseStore(kept_cases=2)
    numbers = [make(sequence, 2024, 8, 26, 1) for sequence in range(3)]
    first = store.get(numbers[0])
    second = store.get(numbers[1])
    assert store.get(numbers[0]) is first
    store.get(numbers[2])
    assert store.get(numbers[0]) is first
    assert store.get(numbers[1]) is not second


def test_counters_know_the_most_at_once_and_a_reset_keeps_what_is_in_flight() -> None:
    counters = Counters()
    for document in ("a", "b", "a"):
        counters.began()
        counters.began_document(NUMBER, document)
    counters.ended(10)
    counters.ended_document(NUMBER)
    shown = counters.case(NUMBER)
    assert (shown.in_flight, shown.max_in_flight, shown.document_requests) == (2, 3, {"a": 2, "b": 1})
    counters.reset()
    shown = counters.case(NUMBER)
    assert (shown.in_flight, shown.max_in_flight, shown.document_requests) == (2, 2, {})
    assert (counters.in_flight, counters.max_in_flight, counters.requests_total) == (2, 2, 0)
