"""The main job from outside: every part is the real one, only the court source is simulated."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from autos.local.pdpj.control import Failure, FailureKind
from tests.e2e.journey import ask, check_files, files
from tests.product import Product
from tests.support import wait_until

NumberFactory = Callable[[], str]


def test_a_case_is_downloaded_and_its_webhook_is_signed(product: Product, process_number: NumberFactory) -> None:
    number = process_number()
    # Of one degree: a second one may list the same bytes again, which have one object and one link.
    product.simulator.put_case(number, documents=12, size=40_000, degrees=1)

    view = ask(product, number, webhook_url=product.receiver.url("/main/main"))
    assert view["process_number"] == number
    assert view["job"]["status"] in {"pending", "processing"}
    assert len(view["documents"]) == 12
    assert view["webhook"]["url"] == product.receiver.url("/main/main")

    ended = product.wait_for_end(number)
    assert ended["status"] == "completed"
    assert ended["total_documents"] == ended["completed_documents"] == 12
    assert ended["progress_percentage"] == 100
    assert check_files(product, number) == 12

    (call,) = product.wait_for_webhook("/main/main")
    assert call.verified
    assert call.attempt == 1
    body = call.body
    assert body["type"] == "process.completed"
    assert body["data"]["status"] == "completed"
    assert body["data"]["process"]["court"] == view["court"]
    assert {document["status"] for document in body["data"]["documents"]} == {"available"}
    assert len({document["download_url"] for document in body["data"]["documents"]}) == 12


def test_documents_wait_as_pending_with_a_webhook_and_as_processing_without(
    product: Product, process_number: NumberFactory
) -> None:
    with_webhook, without = process_number(), process_number()
    for number in (with_webhook, without):
        product.simulator.put_case(number, documents=3, size=1000, latency=0.5)
    told = ask(product, with_webhook, webhook_url=product.receiver.url("/main/states"))
    untold = ask(product, without)
    assert {document["status"] for document in told["documents"]} == {"pending"}
    assert {document["status"] for document in untold["documents"]} == {"processing"}
    assert untold["webhook"] is None
    product.wait_for_end(with_webhook)
    product.wait_for_end(without)


def test_an_empty_case_completes_at_once(product: Product, process_number: NumberFactory) -> None:
    number = process_number()
    product.simulator.put_case(number, documents=0)
    ask(product, number, webhook_url=product.receiver.url("/main/empty"))
    ended = product.wait_for_end(number)
    assert (ended["status"], ended["total_documents"], ended["progress_percentage"]) == ("completed", 0, 100)
    (call,) = product.wait_for_webhook("/main/empty")
    assert call.body["data"]["documents"] == []


def test_twenty_first_requests_at_once_are_one_job(product: Product, process_number: NumberFactory) -> None:
    number = process_number()
    product.simulator.put_case(number, documents=5, size=1000, latency=0.1)
    with ThreadPoolExecutor(20) as threads:
        views = list(threads.map(lambda _: ask(product, number), range(20)))
    assert len({view["job"]["job_id"] for view in views}) == 1
    product.wait_for_end(number)
    counted = product.simulator.case_metrics(number)
    assert max(counted.document_requests.values()) == 1


def test_two_webhook_urls_are_one_job_and_two_deliveries(product: Product, process_number: NumberFactory) -> None:
    number = process_number()
    product.simulator.put_case(number, documents=4, size=1000, latency=0.3)
    first = ask(product, number, webhook_url=product.receiver.url("/both/one"))
    second = ask(product, number, webhook_url=product.receiver.url("/both/two"))
    again = ask(product, number, webhook_url=product.receiver.url("/both/two"))
    assert first["job"]["job_id"] == second["job"]["job_id"] == again["job"]["job_id"]
    calls = product.wait_for_webhook("/both", 2)
    assert sorted(call.path for call in calls) == ["/both/one", "/both/two"]
    assert len({call.webhook_id for call in calls}) == 2


def test_a_webhook_asked_for_after_completion_is_called_at_once(
    product: Product, process_number: NumberFactory
) -> None:
    number = process_number()
    product.simulator.put_case(number, documents=2, size=1000)
    first = ask(product, number)
    product.wait_for_end(number)
    later = ask(product, number, webhook_url=product.receiver.url("/main/later"))
    assert later["job"]["job_id"] == first["job"]["job_id"]
    (call,) = product.wait_for_webhook("/main/later")
    assert call.body["data"]["job_id"] == first["job"]["job_id"]
    assert call.verified


def test_a_document_that_fails_twice_and_heals_is_available_with_attempts_3(
    product: Product, process_number: NumberFactory
) -> None:
    number = process_number()
    product.simulator.put_case(
        number, documents=3, size=1000, failures=[Failure(kind=FailureKind.ERROR_500, document=1, times=2)]
    )
    ask(product, number)
    ended = product.wait_for_end(number)
    assert ended["status"] == "completed"
    assert sorted(document["attempts"] for document in ended["documents"]) == [1, 1, 3]


def test_a_document_that_always_fails_makes_the_case_partial_and_the_webhook_says_so(
    product: Product, process_number: NumberFactory
) -> None:
    number = process_number()
    product.simulator.put_case(
        number, documents=3, size=1000, failures=[Failure(kind=FailureKind.ERROR_500, document=0)]
    )
    ask(product, number, webhook_url=product.receiver.url("/main/partial"))
    ended = product.wait_for_end(number)
    assert ended["status"] == "partial"
    (failed,) = [document for document in ended["documents"] if document["status"] == "failed"]
    assert failed["error_code"]
    assert failed["error_message"]
    assert failed["download_url"] is None
    (call,) = product.wait_for_webhook("/main/partial")
    assert call.body["data"]["status"] == "partial"
    assert call.body["data"]["failed_documents"] == 1
    assert check_files(product, number) == 2


def test_a_case_with_no_available_document_still_calls_the_webhook(
    product: Product, process_number: NumberFactory
) -> None:
    number = process_number()
    product.simulator.put_case(number, documents=2, failures=[Failure(kind=FailureKind.NO_ACCESS_403)])
    ask(product, number, webhook_url=product.receiver.url("/main/failed"))
    ended = product.wait_for_end(number)
    assert ended["status"] == "failed"
    assert {document["error_code"] for document in ended["documents"]} == {"no_access"}
    (call,) = product.wait_for_webhook("/main/failed")
    assert call.body["data"]["status"] == "failed"


def test_a_case_unknown_to_the_source_is_a_404(product: Product, process_number: NumberFactory) -> None:
    number = process_number()
    product.simulator.put_case(number, exists=False)
    problem = ask(product, number, expect=404)
    assert problem["code"] == "process_not_found"
    assert product.client.get(f"/processes/{number}/status").json()["code"] == "process_unknown"


def test_a_case_that_cannot_be_read_now_is_a_202_and_is_delivered_later(
    product: Product, process_number: NumberFactory
) -> None:
    number = process_number()
    product.simulator.put_case(
        number, documents=3, size=1000, failures=[Failure(kind=FailureKind.UNAVAILABLE_503, on="case", times=3)]
    )
    view = ask(product, number, expect=202, webhook_url=product.receiver.url("/main/back"))
    assert view["documents"] == []
    assert view["job"]["status"] in {"pending", "processing"}
    (call,) = product.wait_for_webhook("/main/back")
    assert call.body["data"]["status"] == "completed"
    assert check_files(product, number) == 3


def test_metadata_only_downloads_nothing_and_one_document_can_be_asked_for(
    product: Product, process_number: NumberFactory
) -> None:
    number = process_number()
    product.simulator.put_case(number, documents=4, size=1000)
    answer = product.client.post(f"/processes/{number}/download-documents")
    assert answer.status_code == 200, answer.text
    view = answer.json()
    assert view["job"] is None
    assert product.simulator.case_metrics(number).document_requests == {}

    wanted = view["documents"][2]["id"]
    one = product.client.post(f"/processes/{number}/download-document/{wanted}")
    assert one.status_code == 202, one.text
    assert one.json()["job"]["total_documents"] in {0, 1}
    wait_until(lambda: len(files(product, number)) == 1)
    assert set(product.simulator.case_metrics(number).document_requests) == {wanted}

    rest = product.client.post(f"/processes/{number}/download-all-documents", json={})
    assert rest.status_code == 202, rest.text
    wait_until(lambda: len(files(product, number)) == 4)
    assert product.wait_for_end(number)["total_documents"] == 4
    assert max(product.simulator.case_metrics(number).document_requests.values()) == 1


def test_download_all_tries_the_failed_ones_again(product: Product, process_number: NumberFactory) -> None:
    number = process_number()
    product.simulator.put_case(
        number, documents=2, size=1000, failures=[Failure(kind=FailureKind.NO_ACCESS_403, document=0, times=1)]
    )
    ask(product, number)
    assert product.wait_for_end(number)["status"] == "partial"
    first = product.status(number)["job_id"]
    again = product.client.post(f"/processes/{number}/download-all-documents", json={})
    assert again.status_code == 202, again.text
    assert again.json()["job"]["job_id"] != first
    assert product.wait_for_end(number)["status"] == "completed"


def test_a_receiver_that_fails_twice_gets_the_same_webhook_again(
    product: Product, process_number: NumberFactory
) -> None:
    number = process_number()
    product.simulator.put_case(number, documents=1, size=1000)
    product.receiver.answer("/main/retry", 503, times=2)
    ask(product, number, webhook_url=product.receiver.url("/main/retry"))
    calls = product.wait_for_webhook("/main/retry", 3)
    assert [call.attempt for call in calls] == [1, 2, 3]
    assert len({call.webhook_id for call in calls}) == 1
    assert all(call.verified for call in calls)
    listed = product.client.get("/webhooks/deliveries", params={"process_number": number}).json()
    assert "exhausted" not in json.dumps(listed)


def test_never_more_than_five_of_one_case_are_fetched_at_once(product: Product, process_number: NumberFactory) -> None:
    number = process_number()
    product.simulator.put_case(number, documents=25, size=2000, latency=0.05)
    ask(product, number)
    product.wait_for_end(number)
    assert 1 < product.simulator.case_metrics(number).max_in_flight <= 5


@pytest.mark.parametrize(
    ("number", "code"),
    [("1234567-89.2023.8.02.0001", "invalid_process_number"), ("abc", "invalid_process_number")],
)
def test_a_wrong_number_is_refused(product: Product, number: str, code: str) -> None:
    problem = ask(product, number, expect=422)
    assert problem["code"] == code


@pytest.mark.parametrize(
    "url", ["ftp://example.com/x", "http://10.0.0.1/x", "http://user:pw@example.com/", "http://169.254.169.254/latest"]
)
def test_a_webhook_address_that_is_not_allowed_is_refused(
    product: Product, process_number: NumberFactory, url: str
) -> None:
    problem = ask(product, process_number(), expect=422, webhook_url=url)
    assert problem["code"] == "invalid_webhook_url"


def test_no_key_no_answer(product: Product, process_number: NumberFactory) -> None:
    answer = product.client.get(f"/processes/{process_number()}", headers={"authorization": "Bearer nonsense"})
    assert answer.status_code == 401
    assert answer.headers["content-type"].startswith("application/problem+json")
