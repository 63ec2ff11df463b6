"""Deleting a case, from outside: what is left of it in the database, the store, the logs and the topics."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest
from botocore.config import Config
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from autos.local.pdpj.control_model import ExplicitDocument
from shared.db.deletions import spellings
from shared.events.topics import TOPICS
from tests.e2e.journey import ask, autos, check_files, owner_cursor
from tests.e2e.test_sealed import client
from tests.product import Product
from tests.support import wait_until

NAME = "Petição de FULANA DE TAL"


def tables_that_name(product: Product, *texts: str) -> list[str]:
    """Tables with a row that has one of these texts in any column, bytes too."""
    found = []
    with owner_cursor(product) as cursor:
        cursor.execute(
            "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables"
            # Who read what is kept for as long as the access log is (docs/explanation/deletion.md).
            " WHERE schemaname NOT IN ('pg_catalog', 'information_schema', 'audit')"
        )
        for (table,) in cursor.fetchall():
            for text in texts:
                # Bytes are shown in hexadecimal.
                named = "position(%s IN t::text) > 0 OR position(%s IN t::text) > 0"
                cursor.execute(f"SELECT count(*) FROM {table} AS t WHERE {named}", (text, text.encode().hex()))
                if cursor.fetchone()[0]:
                    found.append(table)
    return found


def store(product: Product) -> Any:
    where = product.stack()["s3"]
    return boto3.client(
        "s3",
        endpoint_url=where["endpoint"],
        aws_access_key_id=where["access_key_id"],
        aws_secret_access_key=where["secret_access_key"],
        region_name="us-east-1",
        config=Config(s3={"addressing_style": "path"}),
    )


def objects_of(product: Product, number: str) -> list[str]:
    """Keys of the case's objects, and of its uploads that never ended."""
    s3, bucket = store(product), product.stack()["s3"]["bucket"]
    prefix = f"processes/{spellings(number)[1]}/"
    listed = s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
    uploads = s3.list_multipart_uploads(Bucket=bucket, Prefix=prefix).get("Uploads", [])
    return [one["Key"] for one in (*listed, *uploads)]


def logs(product: Product) -> Iterator[tuple[str, str]]:
    for name, process in product.stack()["processes"].items():
        # The simulator and the receiver are the world outside.
        if name not in ("pdpj", "receiver"):
            yield name, Path(process["log"]).read_text(errors="replace")


def topics_that_name(product: Product, number: str) -> set[str]:
    """Topics with a record that has the number in its value or its key."""
    settings = {"bootstrap.servers": product.stack()["kafka"], "group.id": "deletion", "enable.partition.eof": True}
    consumer = Consumer({**settings, "enable.auto.commit": False})
    try:
        every = [TopicPartition(one.name, part, OFFSET_BEGINNING) for one in TOPICS for part in range(one.partitions)]
        consumer.assign(every)
        found, over = set(), 0
        while over < len(every):
            for record in consumer.consume(1000, 1.0):
                if record.error() is None:
                    if number.encode() in (record.value() or b"") + (record.key() or b""):
                        found.add(str(record.topic()))
                else:
                    over += 1
        return found
    finally:
        consumer.close()


def assert_nothing_is_left(product: Product, number: str, *names: str) -> None:
    texts = (*spellings(number), *names)
    assert tables_that_name(product, *texts) == []
    assert objects_of(product, number) == []
    assert [name for name, log in logs(product) if any(text in log for text in texts)] == []


@pytest.fixture
def other(product: Product) -> Iterator[httpx.Client]:
    with client(product, "deletion-other", "read", "download", "webhooks") as api:
        yield api


def test_nothing_is_left_of_a_deleted_case(
    product: Product, other: httpx.Client, process_number: Callable[[], str]
) -> None:
    number = process_number()
    product.simulator.put_case(number, documents=[ExplicitDocument(name=NAME), ExplicitDocument()], size=1000)
    hook = product.receiver.url(f"/deleted/{number}")
    ask(product, number, webhook_url=hook, reference=f"matter {number}")
    assert other.get(f"/processes/{number}", params={"webhook_url": hook}).status_code == 200
    ended = product.wait_for_end(number)
    assert check_files(product, number) == 2
    hashes = sorted(one["sha256"] for one in ended["documents"])
    wait_until(lambda: len(product.receiver.received(f"/deleted/{number}")) == 2, what="both webhooks")
    s3, bucket = store(product), product.stack()["s3"]["bucket"]
    beside = f"{objects_of(product, number)[0]}.{'0' * 64}"
    s3.put_object(Bucket=bucket, Key=beside, Body=b"an earlier content")
    s3.create_multipart_upload(Bucket=bucket, Key=f"{beside}.part")

    refused = other.delete(f"/processes/{number}")
    assert (refused.status_code, refused.json()["code"]) == (403, "insufficient_scope")
    unknown = product.client.delete(f"/processes/{process_number()}")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "process_unknown")
    assert product.client.delete("/processes/1").json()["code"] == "invalid_process_number"

    answer = product.client.delete(f"/processes/{number}")
    found = answer.json()
    assert answer.status_code == 200, found
    assert (found["process_number"], found["documents"], found["deliveries"]) == (number, 2, 2)
    assert (found["objects"], found["removed"]["uploads"]) == (3, 1)
    assert found["deleted_at"] is not None
    assert_nothing_is_left(product, number, NAME)

    # As never asked for, and again: the same.
    for api in (product.client, other):
        assert api.get(f"/processes/{number}/status").json()["code"] == "process_unknown"
        assert api.get(f"/jobs/{ended['job_id']}").json()["code"] == "job_not_found"
    assert product.client.delete(f"/processes/{number}").json()["code"] == "process_unknown"

    # The certificate does not name the case, and is bound to it by the nonce.
    certificate = product.client.get(answer.headers["location"]).json()
    assert certificate["document_hashes"] == hashes
    assert certificate["requested_by"]["client_id"] is not None
    assert number not in str(certificate)
    assert certificate["case_digest"] == hashlib.sha256(f"{found['nonce']}:{number}".encode()).hexdigest()
    assert other.get(answer.headers["location"]).status_code == 403
    assert found["deletion_id"] in autos(product, "deletions").stdout
    assert '"completed"' in autos(product, "deletions", found["deletion_id"]).stdout

    # Topics forget by their retention alone; docs/explanation/deletion.md lists them.
    assert topics_that_name(product, number) <= {
        "process.requested",
        "document.requested",
        "document.events",
        "process.completed",
    } | {
        "webhook.subscribed",
        "webhook.events",
    }

    again = ask(product, number, webhook_url=hook)
    assert again["job"]["job_id"] != ended["job_id"]
    assert product.wait_for_end(number)["status"] == "completed"
    assert check_files(product, number) == 2


def test_what_is_on_its_way_does_not_bring_a_deleted_case_back(
    product: Product, process_number: Callable[[], str]
) -> None:
    number = process_number()
    product.simulator.put_case(number, documents=[ExplicitDocument() for _ in range(8)], size=1000, latency=0.4)
    hook = f"/deleted/{number}"
    ask(product, number, webhook_url=product.receiver.url(hook))
    wait_until(lambda: objects_of(product, number), what="the first document")
    before = {name: product.pid(name) for name in ("downloader", "status", "notifier")}
    answer = product.client.delete(f"/processes/{number}", params={"wait": 0})
    assert answer.status_code in (200, 202)
    asked = product.client.get(f"/processes/{number}")
    assert asked.status_code == 409 or answer.status_code == 200
    for name in before:
        product.kill(name)
    assert product.client.get(f"/processes/{number}/status").json()["code"] == "process_unknown"
    for name, pid in before.items():
        product.wait_for_restart(name, pid)

    def completed() -> bool:
        return bool(product.client.get(answer.headers["location"]).json()["status"] == "completed")

    wait_until(completed, what="the end of the deletion")

    def all_is_taken() -> bool:
        lags = product.client.get("/system").json()["lags"]
        return lags is not None and all(each["behind"] == 0 for each in lags)

    wait_until(all_is_taken, what="the groups at the ends of their topics")
    assert_nothing_is_left(product, number)
    assert product.receiver.received(hook) == []
