"""Over HTTP: each failure of the table of answers, healing, outages, limits, and the counters that tell of them."""

from __future__ import annotations

import hashlib
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import psutil
import pytest

from autos.local.pdpj.control import ExpectedDocument, Failure, FailureKind, SimulatorControl, SourceSetting
from autos.local.pdpj.process import RunningSimulator, running_simulator
from shared.domain.cnj import ProcessNumber
from tests.integration.autos.simulator.paths import case_path, document_path, lake_path
from tests.support import wait_until

SIZE = 50_000


def failing(pdpj: SimulatorControl, number: ProcessNumber, *failures: Failure) -> ExpectedDocument:
    """A case of two documents with these failures; gives the first document."""
    pdpj.put_case(number, documents=2, size=SIZE, failures=failures)
    return pdpj.case(number).documents[0]


STATUSES = [
    (FailureKind.UNAUTHORIZED_TOKEN, 401, "Token"),
    (FailureKind.NO_ACCESS_401, 401, "não possui acesso"),
    (FailureKind.NO_ACCESS_403, 403, "não possui acesso"),
    (FailureKind.FIREWALL_403, 403, "<html>"),
    (FailureKind.NOT_FOUND_404, 404, "Não encontrado"),
    (FailureKind.EMPTY_LIST, 200, "[]"),
    (FailureKind.EMPTY_CONTENT, 200, '{"content":[]}'),
    (FailureKind.ERROR_500, 500, "Erro"),
    (FailureKind.SPA_SHELL, 200, "<app-root"),
    (FailureKind.RATE_LIMIT, 429, "Limite"),
    (FailureKind.BAD_GATEWAY_502, 502, "<html>"),
    (FailureKind.UNAVAILABLE_503, 503, "<html>"),
    (FailureKind.TIMEOUT_504, 504, "<html>"),
    (FailureKind.EMPTY_BODY, 200, ""),
]


@pytest.mark.parametrize(("kind", "status", "words"), STATUSES)
def test_each_answer_on_a_document_and_it_heals(
    pdpj: SimulatorControl, client: httpx.Client, number: ProcessNumber, kind: FailureKind, status: int, words: str
) -> None:
    document = failing(pdpj, number, Failure(kind=kind, document=0, times=2))
    path = document_path(number, document.document_id)
    for _ in range(2):
        answer = client.get(path)
        assert answer.status_code == status
        assert words in answer.text
    if kind is FailureKind.EMPTY_BODY:
        assert (answer.content, answer.headers["content-length"]) == (b"", "0")
    assert hashlib.sha256(client.get(path).content).hexdigest() == document.sha256
    assert pdpj.case_metrics(number).document_requests == {document.document_id: 3}


@pytest.mark.parametrize(("kind", "status", "words"), STATUSES)
def test_each_answer_on_the_case_and_it_heals(
    pdpj: SimulatorControl, client: httpx.Client, number: ProcessNumber, kind: FailureKind, status: int, words: str
) -> None:
    document = failing(pdpj, number, Failure(kind=kind, on="case", times=1))
    answer = client.get(case_path(number))
    assert answer.status_code == status
    assert words in answer.text
    assert client.get(document_path(number, document.document_id)).status_code == 200
    assert client.get(case_path(number)).json()[0]["numeroProcesso"] == number
    assert pdpj.case_metrics(number).case_requests == 2


def test_a_failure_without_times_stays_and_spares_the_other_documents(
    pdpj: SimulatorControl, client: httpx.Client, number: ProcessNumber
) -> None:
    document = failing(pdpj, number, Failure(kind=FailureKind.ERROR_500, document=0))
    path = document_path(number, document.document_id)
    assert {client.get(path).status_code for _ in range(10)} == {500}
    other = pdpj.case(number).documents[1]
    assert client.get(document_path(number, other.document_id)).status_code == 200
    through_the_lake = lake_path(number, f"/documentos/{document.document_id}/binario")
    assert client.get(through_the_lake).status_code == 500


@pytest.mark.parametrize("after_bytes", [None, 0, 10_000])
def test_a_reset_is_a_reset(
    pdpj: SimulatorControl, client: httpx.Client, number: ProcessNumber, after_bytes: int | None
) -> None:
    document = failing(pdpj, number, Failure(kind=FailureKind.RESET, times=1, after_bytes=after_bytes))
    with pytest.raises(httpx.ReadError, match=r"[Rr]eset"):
        client.get(document_path(number, document.document_id))
    assert client.get(document_path(number, document.document_id)).status_code == 200


@pytest.mark.parametrize("after_bytes", [None, 0, 49_999])
def test_a_short_body_ends_before_what_it_promised(
    pdpj: SimulatorControl, client: httpx.Client, number: ProcessNumber, after_bytes: int | None
) -> None:
    document = failing(pdpj, number, Failure(kind=FailureKind.SHORT_BODY, times=1, after_bytes=after_bytes))
    received = bytearray()

    def read() -> None:
        with client.stream("GET", document_path(number, document.document_id)) as answer:
            assert answer.headers["content-length"] == str(SIZE)
            for chunk in answer.iter_raw():
                received.extend(chunk)

    with pytest.raises(httpx.RemoteProtocolError, match="without sending complete"):
        read()
    assert len(received) == (SIZE // 2 if after_bytes is None else after_bytes)
    assert client.get(document_path(number, document.document_id)).status_code == 200


@pytest.mark.parametrize("after_bytes", [None, 1_000])
def test_a_hang_lasts_until_the_client_goes_away(
    pdpj: SimulatorControl, client: httpx.Client, number: ProcessNumber, after_bytes: int | None
) -> None:
    document = failing(pdpj, number, Failure(kind=FailureKind.HANG, times=1, after_bytes=after_bytes))
    path = document_path(number, document.document_id)
    with pytest.raises(httpx.ReadTimeout):
        client.get(path, timeout=0.3)
    wait_until(lambda: pdpj.case_metrics(number).in_flight == 0, what="the hung request is still counted as in flight")
    assert client.get(path).status_code == 200


@pytest.mark.parametrize(("value", "shown"), [(7.0, "7"), ("Wed, 21 Oct 2026 07:28:00 GMT", None), (None, "")])
def test_retry_after_of_a_429(
    pdpj: SimulatorControl, client: httpx.Client, number: ProcessNumber, value: float | str | None, shown: str | None
) -> None:
    document = failing(pdpj, number, Failure(kind=FailureKind.RATE_LIMIT, times=1, retry_after=value))
    answer = client.get(document_path(number, document.document_id))
    assert answer.headers.get("retry-after", "") == (value if shown is None else shown)


def test_an_outage_hits_every_read_and_ends(
    pdpj: SimulatorControl, client: httpx.Client, number: ProcessNumber
) -> None:
    document = failing(pdpj, number)
    pdpj.outage(FailureKind.UNAVAILABLE_503, retry_after=3)
    for path in (case_path(number), document_path(number, document.document_id), lake_path(number, "/documentos")):
        answer = client.get(path)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "3")
    assert client.post("/token", data={"grant_type": "client_credentials", "client_id": "a"}).status_code == 200
    pdpj.outage(None)
    assert client.get(case_path(number)).status_code == 200
    pdpj.configure_source(SourceSetting(token_outage=FailureKind.BAD_GATEWAY_502))
    assert client.post("/token", data={"grant_type": "client_credentials", "client_id": "a"}).status_code == 502


def test_more_at_once_than_the_limit_are_told_429(
    pdpj: SimulatorControl, client: httpx.Client, number: ProcessNumber
) -> None:
    document = failing(pdpj, number)
    pdpj.configure_source(SourceSetting(concurrency_limit=3, latency=0.3, retry_after=1))
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(client.get, [document_path(number, document.document_id)] * 8))
    assert sorted(answer.status_code for answer in answers) == [200] * 3 + [429] * 5
    assert {answer.headers["retry-after"] for answer in answers if answer.status_code == 429} == {"1"}


def test_latency_of_the_case_and_the_most_at_once_are_counted(
    pdpj: SimulatorControl, client: httpx.Client, number: ProcessNumber
) -> None:
    pdpj.put_case(number, documents=5, size=1_000, latency=0.4)
    documents = pdpj.case(number).documents
    pdpj.reset_metrics()
    started = time.monotonic()
    with ThreadPoolExecutor(5) as pool:
        list(pool.map(client.get, [document_path(number, document.document_id) for document in documents]))
    assert time.monotonic() - started >= 0.4
    counted = pdpj.metrics()
    assert counted.by_case[number].max_in_flight == counted.max_in_flight == 5
    assert counted.by_case[number].document_requests == {document.document_id: 1 for document in documents}
    assert (counted.requests_total, counted.by_status) == (5, {"200": 5})
    assert counted.by_route == {"portal.document": 5}
    assert (counted.in_flight, counted.bytes_sent) == (0, 5_000)


def test_a_slow_body_takes_its_time(pdpj: SimulatorControl, client: httpx.Client, number: ProcessNumber) -> None:
    pdpj.put_case(number, documents=1, size=30_000, bytes_per_second=100_000)
    document = pdpj.case(number).documents[0]
    started = time.monotonic()
    content = client.get(document_path(number, document.document_id)).content
    assert time.monotonic() - started >= 0.2
    assert hashlib.sha256(content).hexdigest() == document.sha256


def test_the_counters_tell_failures_apart(pdpj: SimulatorControl, client: httpx.Client, number: ProcessNumber) -> None:
    pdpj.reset_metrics()
    document = failing(pdpj, number, Failure(kind=FailureKind.ERROR_500, times=1), Failure(kind=FailureKind.RESET))
    path = document_path(number, document.document_id)
    assert client.get(path).status_code == 500
    with pytest.raises(httpx.ReadError):
        client.get(path)
    client.get("/anything")
    counted = pdpj.metrics()
    assert counted.by_status == {"500": 1, "reset": 1, "200": 1}
    assert counted.by_failure == {"error_500": 1, "reset": 1}
    assert counted.by_route == {"portal.document": 2, "shell": 1}
    assert pdpj.metrics(by_case=False).by_case == {}


def test_300_megabytes_stream_with_flat_memory(number: ProcessNumber) -> None:
    size = 300_000_000
    with running_simulator() as simulator:
        simulator.control.put_case(number, documents=4, size=size)
        document = simulator.control.case(number, hashes=False).documents[0]
        process = psutil.Process(simulator.pid)
        before = process.memory_info().rss
        most = _stream_all(simulator, number, [document.document_id] * 4, size, process)
    assert most - before < 30_000_000, f"grew by {(most - before) / 1e6:.0f} MB"


def _stream_all(
    simulator: RunningSimulator, number: ProcessNumber, documents: list[str], size: int, process: psutil.Process
) -> int:
    """Four large bodies at once, read as slowly as this process reads; the most memory that the simulator had."""
    control = simulator.control
    headers = {"Authorization": f"Bearer {control.issue_tokens().access_token}"}
    seen: list[int] = []

    def read(document_id: str) -> int:
        received = 0
        with (
            httpx.Client(base_url=control.address, headers=headers, timeout=30.0, trust_env=False) as client,
            client.stream("GET", document_path(number, document_id)) as answer,
        ):
            for position, chunk in enumerate(answer.iter_raw()):
                received += len(chunk)
                if position % 100 == 0:
                    seen.append(process.memory_info().rss)
        return received

    with ThreadPoolExecutor(len(documents)) as pool:
        assert list(pool.map(read, documents)) == [size] * len(documents)
    return max(seen)


def test_the_sum_of_a_large_body_is_the_sum_of_what_is_sent(
    pdpj: SimulatorControl, client: httpx.Client, number: ProcessNumber
) -> None:
    pdpj.put_case(number, documents=1, size=20_000_000)
    document = pdpj.case(number).documents[0]
    digest = hashlib.sha256()
    with client.stream("GET", document_path(number, document.document_id)) as answer:
        for chunk in answer.iter_raw():
            digest.update(chunk)
    assert digest.hexdigest() == document.sha256


def test_a_client_that_leaves_in_the_middle_is_forgotten(
    pdpj: SimulatorControl, client: httpx.Client, number: ProcessNumber
) -> None:
    pdpj.put_case(number, documents=1, size=100_000_000)
    document = pdpj.case(number, hashes=False).documents[0]
    with client.stream("GET", document_path(number, document.document_id)) as answer:
        assert next(answer.iter_raw())
    wait_until(lambda: pdpj.case_metrics(number).in_flight == 0, what="the abandoned request is still in flight")


def test_sigterm_ends_the_process_while_a_request_hangs(number: ProcessNumber) -> None:
    with running_simulator() as simulator:
        control = simulator.control
        document = failing(control, number, Failure(kind=FailureKind.HANG))
        token = control.issue_tokens().access_token
        with ThreadPoolExecutor(1) as pool:
            hung = pool.submit(
                httpx.get,
                f"{control.address}{document_path(number, document.document_id)}",
                headers={"Authorization": f"Bearer {token}"},
                timeout=20.0,
                trust_env=False,
            )
            wait_until(lambda: control.case_metrics(number).in_flight == 1, what="the request did not arrive")
            process = psutil.Process(simulator.pid)
            process.terminate()
            with pytest.raises(httpx.TransportError):
                hung.result(timeout=10)
            wait_until(
                lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE, what="it still runs"
            )
