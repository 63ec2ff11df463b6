"""What is sealed, from outside: two clients, both kinds of key, the webhooks, and what the servers hold."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition

from autos.local.pdpj.control_model import ExplicitDocument
from tests.e2e.journey import autos
from tests.product import Product
from tests.support import wait_until

NAME = "Laudo-de-MARIA"
PLAIN = ("read", "download", "webhooks")


def client(product: Product, name: str, *scopes: str) -> httpx.Client:
    options = [word for scope in scopes for word in ("--scope", scope)]
    key = autos(product, "keys", "create", name, *options).stdout.split()[-1]
    headers = {"authorization": f"Bearer {key}"}
    return httpx.Client(base_url=product.api_url, headers=headers, timeout=60, trust_env=False)


def values(product: Product, topic: str) -> list[bytes]:
    """Every value of a topic."""
    settings = {"bootstrap.servers": product.stack()["kafka"], "group.id": "sealed", "enable.partition.eof": True}
    consumer = Consumer({**settings, "enable.auto.commit": False})
    try:
        partitions = consumer.list_topics(topic, 10).topics[topic].partitions
        consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in partitions])
        found, over = [], 0
        while over < len(partitions):
            record = consumer.poll(10.0)
            assert record is not None, topic
            if record.error() is None:
                found.append(record.value() or b"")
            else:
                error = record.error()
                assert error is not None
                assert error.code() == KafkaError._PARTITION_EOF
                over += 1
        return found
    finally:
        consumer.close()


def ended(api: httpx.Client, number: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        view: dict[str, Any] = api.get(f"/processes/{number}/status").json()
        return view if view.get("completed_at") else None

    found = wait_until(look, what=f"the end of {number}")
    assert found is not None
    return found


def test_what_is_sealed_stays_with_those_who_may_see_it(product: Product, process_number: Callable[[], str]) -> None:
    mixed, whole, late = process_number(), process_number(), process_number()
    documents = [ExplicitDocument(), ExplicitDocument(name=NAME, secrecy="SIGILO_MEDIO"), ExplicitDocument()]
    product.simulator.put_case(mixed, documents=documents, size=1000)
    for number in (whole, late):
        product.simulator.put_case(number, documents=documents, size=1000, secrecy_level=2)
    paths = {who: f"/sealed/{who}" for who in ("holder", "other")}
    with client(product, "sealed-holder", *PLAIN, "sealed") as holder, client(product, "sealed-other", *PLAIN) as other:
        listed = [line for line in autos(product, "keys", "list").stdout.splitlines() if "sealed-" in line]
        assert {line.split()[1]: line.endswith("sees sealed cases") for line in listed} == {
            "sealed-holder": True,
            "sealed-other": False,
        }
        for who, api in (("holder", holder), ("other", other)):
            wanted = {"webhook_url": product.receiver.url(paths[who])}
            assert api.get(f"/processes/{mixed}", params=wanted).status_code == 200
        assert holder.get(
            f"/processes/{whole}", params={"webhook_url": product.receiver.url(paths["holder"])}
        ).is_success
        assert other.get(f"/processes/{whole}").json()["code"] == "process_not_found"

        # Counted and listed by those alone who may see it.
        for api, count in ((holder, 3), (other, 2)):
            view = ended(api, mixed)
            assert (view["status"], view["total_documents"], len(view["documents"])) == ("completed", count, count)
        assert ended(holder, whole)["total_documents"] == 3
        assert other.get(f"/processes/{whole}/files").json()["code"] == "process_unknown"
        assert [one["process_number"] for one in other.get("/processes").json()["processes"]] == [mixed]

        # A reading that is left to the job: the case ends as an absent one does, and nothing of it was fetched.
        [entry] = other.post("/processes/batch", json={"process_numbers": [late]}).json()["entries"]
        assert ended(other, late)["error_code"] == "process_not_found" and entry["job_id"]
        assert product.simulator.case_metrics(late).document_requests == {}

        # Links: five minutes, without a name, and what they lead to has none either.
        sealed = next(one for one in holder.get(f"/processes/{mixed}/files").json()["documents"] if one["name"] == NAME)
        linked = httpx.get(sealed["download_url"], trust_env=False)
        assert linked.status_code == 200 and "X-Amz-Expires=300&" in sealed["download_url"]
        assert "MARIA" not in sealed["download_url"] + str(linked.headers)

    told = {
        who: {call.body["data"]["process_number"]: call.body["data"] for call in product.wait_for_webhook(path, count)}
        for who, path, count in (("holder", paths["holder"], 2), ("other", paths["other"], 1))
    }
    assert "MARIA" not in json.dumps(told) and sealed["id"] not in json.dumps(told)
    assert [told["holder"][mixed][name] for name in ("total_documents", "documents_truncated")] == [3, True]
    assert [len(told[who][mixed]["documents"]) for who in told] == [2, 2]
    assert [told["other"][mixed][name] for name in ("total_documents", "documents_truncated")] == [2, False]
    assert told["holder"][whole]["documents"] == [] and told["holder"][whole]["process"]["parties"] == []
    # Nobody who subscribes to the topics, or reads the logs, learns its name.
    for topic in ("document.requested", "document.events", "process.completed", "webhook.events"):
        assert not any(b"MARIA" in value for value in values(product, topic)), topic
    for process in ("api", "downloader", "status", "notifier"):
        assert "MARIA" not in product.log(process)
