"""The API of the running product, route by route, from outside."""

from __future__ import annotations

import hashlib
import io
import json
import threading
import zipfile
from collections.abc import Callable
from typing import Any

import httpx

from autos.local.pdpj.control import Failure, FailureKind
from shared.domain.cnj import ProcessNumber
from tests.e2e.journey import ask
from tests.product import ENDED, Product
from tests.support import wait_until

NumberFactory = Callable[[], ProcessNumber]


def test_a_long_poll_follows_a_case_to_its_end(product: Product, process_number: NumberFactory) -> None:
    number = process_number()
    product.simulator.put_case(number, documents=8, size=10_000, latency=0.1)
    ask(product, number)
    tag = ""
    seen: list[Any] = []
    while not seen or seen[-1]["status"] not in ENDED:
        answer = product.client.get(
            f"/processes/{number}/status", params={"wait": 20}, headers={"If-None-Match": tag} if tag else {}
        )
        assert answer.status_code == 200, answer.text
        tag = answer.headers["etag"]
        seen.append(answer.json())
    assert seen[-1]["status"] == "completed" and seen[-1]["progress_percentage"] == 100
    done = [view["completed_documents"] for view in seen]
    assert done == sorted(done)


def test_events_come_live_and_end_with_completed(product: Product, process_number: NumberFactory) -> None:
    number = process_number()
    product.simulator.put_case(number, documents=6, size=10_000, latency=0.1)
    ask(product, number)
    kinds: list[str] = []
    documents: dict[str, str] = {}
    last: dict[str, Any] = {}
    with product.client.stream("GET", f"/processes/{number}/events", timeout=60) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        kind = ""
        for line in stream.iter_lines():
            name, _, value = line.partition(": ")
            if name == "event":
                kind = value
                kinds.append(kind)
            elif name == "data":
                last = json.loads(value)
                if kind == "document":
                    documents[last["id"]] = last["status"]
    assert kinds[-1] == "completed" and "progress" in kinds
    assert last["status"] == "completed"
    assert len(documents) == 6 and set(documents.values()) == {"available"}


def test_content_and_archive_have_the_sources_bytes(product: Product, process_number: NumberFactory) -> None:
    number = process_number()
    product.simulator.put_case(number, documents=4, size=300_000)
    ask(product, number)
    product.wait_for_end(number)
    expected = {document.document_id: document.sha256 for document in product.simulator.case(number).documents}
    listed = product.client.get(f"/processes/{number}/files").json()["documents"]
    for document in listed:
        path = f"/processes/{number}/documents/{document['id']}/content"
        whole = product.client.get(path, params={"proxy": "true"})
        assert hashlib.sha256(whole.content).hexdigest() == expected[document["id"]]
        part = product.client.get(path, params={"proxy": "true"}, headers={"Range": "bytes=100-199"})
        assert part.status_code == 206 and part.content == whole.content[100:200]
        redirect = product.client.get(path, follow_redirects=False)
        assert redirect.status_code == 307
        assert httpx.get(redirect.headers["location"], trust_env=False).content == whole.content
    archive = product.client.get(f"/processes/{number}/documents.zip")
    with zipfile.ZipFile(io.BytesIO(archive.content)) as opened:
        manifest = json.loads(opened.read("manifest.json"))
        for entry in manifest["documents"]:
            assert hashlib.sha256(opened.read(entry["file"])).hexdigest() == expected[entry["id"]]


def test_a_cancelled_job_ends_and_the_webhook_says_so(product: Product, process_number: NumberFactory) -> None:
    number = process_number()
    product.simulator.put_case(number, documents=40, size=10_000, latency=0.5)
    view = ask(product, number, webhook_url=product.receiver.url("/api/cancel"))
    answer = product.client.post(f"/jobs/{view['job']['job_id']}/cancel")
    assert answer.status_code == 200 and answer.json()["status"] == "cancelled"
    (call,) = product.wait_for_webhook("/api/cancel")
    assert call.body["data"]["status"] == "cancelled" and call.verified


def test_a_delivery_is_shown_with_its_attempts_and_sent_again(product: Product, process_number: NumberFactory) -> None:
    number = process_number()
    product.simulator.put_case(number, documents=1, size=1_000)
    product.receiver.answer("/api/again", 500, times=1)
    ask(product, number, webhook_url=product.receiver.url("/api/again"))
    product.wait_for_webhook("/api/again", 2)

    def delivered() -> dict[str, Any] | None:
        listed = product.client.get("/webhooks/deliveries", params={"process_number": number}).json()["deliveries"]
        return listed[0] if listed and listed[0]["status"] == "delivered" else None

    delivery = wait_until(delivered)
    assert delivery is not None
    detail = product.client.get(f"/webhooks/deliveries/{delivery['id']}").json()
    assert detail["attempts"][0]["status_code"] == 500
    assert [attempt["succeeded"] for attempt in detail["attempts"]] == [False, True]
    assert product.client.post(f"/webhooks/deliveries/{delivery['id']}/redeliver").status_code == 202
    calls = product.wait_for_webhook("/api/again", 3)
    assert {call.webhook_id for call in calls} == {delivery["id"]}
    view = ask(product, number)
    assert view["webhook"]["url"] == product.receiver.url("/api/again")


def test_a_test_event_is_signed_and_a_rotation_keeps_the_old_signature(product: Product) -> None:
    before = product.client.get("/webhooks/secret").json()["secret"]
    rotated = product.client.post("/webhooks/secret/rotate").json()
    assert rotated["secret"] != before and rotated["previous_secret_until"]
    result = product.client.post("/webhooks/test", json={"url": product.receiver.url("/api/test")}).json()
    assert result["succeeded"] is True and 200 <= result["status_code"] < 300
    (call,) = product.wait_for_webhook("/api/test")
    # The receiver still has the secret of the start.
    assert call.verified and call.body["type"] == "webhook.test"


def test_a_refresh_downloads_what_is_new_and_nothing_twice(product: Product, process_number: NumberFactory) -> None:
    number = process_number()
    product.simulator.put_case(number, documents=3, size=1_000)
    first = ask(product, number)
    product.wait_for_end(number)
    product.simulator.put_case(number, documents=5, size=1_000)
    second = ask(product, number, refresh="true")
    assert second["job"]["job_id"] != first["job"]["job_id"] and len(second["documents"]) >= 5
    ended = product.wait_for_end(number)
    assert ended["status"] == "completed" and ended["completed_documents"] == len(second["documents"])
    metrics = product.simulator.case_metrics(number)
    assert max(metrics.document_requests.values()) == 1


def test_a_batch_brings_every_case(product: Product, process_number: NumberFactory) -> None:
    numbers = [process_number() for _ in range(5)]
    for number in numbers:
        product.simulator.put_case(number, documents=2, size=1_000)
    answer = product.client.post(
        "/processes/batch", json={"process_numbers": [*numbers, "1"], "webhook_url": product.receiver.url("/api/batch")}
    )
    assert answer.status_code == 202
    outcomes = [entry["outcome"] for entry in answer.json()["entries"]]
    assert outcomes == ["accepted"] * 5 + ["refused"]
    calls = product.wait_for_webhook("/api/batch", 5)
    assert {call.body["data"]["process_number"] for call in calls} == set(numbers)
    listed = product.client.get("/processes", params={"status": "completed", "limit": 200}).json()["processes"]
    assert set(numbers) <= {entry["process_number"] for entry in listed}


def test_waiting_clients_are_all_told_and_ask_nothing_meanwhile(
    product: Product, process_number: NumberFactory
) -> None:
    number = process_number()
    product.simulator.put_case(
        number, documents=1, size=1_000, failures=[Failure(kind=FailureKind.BAD_GATEWAY_502, times=2)]
    )
    product.client.post(f"/processes/{number}/download-documents")
    tag = product.client.get(f"/processes/{number}/status").headers["etag"]
    answers: list[int] = []

    def wait() -> None:
        with httpx.Client(base_url=product.api_url, headers=dict(product.client.headers), trust_env=False) as client:
            answer = client.get(
                f"/processes/{number}/status", params={"wait": 30}, headers={"If-None-Match": tag}, timeout=40
            )
            answers.append(answer.status_code)

    threads = [threading.Thread(target=wait) for _ in range(20)]
    for thread in threads:
        thread.start()
    ask(product, number)
    for thread in threads:
        thread.join(40)
    assert answers == [200] * 20
    assert product.wait_for_end(number)["status"] == "completed"


def test_health_metrics_and_docs_need_no_key_and_nothing_from_elsewhere(product: Product) -> None:
    with httpx.Client(base_url=product.api_url, trust_env=False) as anybody:
        assert anybody.get("/health/live").json() == {"status": "ok"}
        ready = anybody.get("/health/ready")
        assert ready.status_code == 200 and set(ready.json()["checks"].values()) == {"ok"}
        metrics = anybody.get("/metrics").text
        assert "autos_api_request_seconds_count" in metrics and "autos_api_outbox_backlog 0.0" in metrics
        assert anybody.get("/openapi.json").json()["openapi"].startswith("3.1")
        page = anybody.get("/docs")
        assert "https://" not in page.text and "http://" not in page.text
        assert "script-src 'sha256-" in page.headers["content-security-policy"]
        assert "server" not in page.headers
        assert anybody.get("/webhooks/secret").status_code == 401
