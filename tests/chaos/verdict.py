"""The end of a storm: cases, documents, webhooks, duplicates and invariants, without a hand."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

import httpx

from ops.invariants.check import EVER, Check
from ops.invariants.database import DatabaseReader
from ops.invariants.findings import Findings, Patience
from ops.invariants.store import StoreReader
from ops.invariants.topics import TopicReader
from shared.errors import InfrastructureAway
from shared.settings import StorageSettings
from shared.storage.store import make_store
from tests.chaos.plan import Case
from tests.product import Product
from tests.support import wait_until

SETTLE_SECONDS = 120.0


@dataclass(frozen=True)
class Webhooks:
    """What receiver and notifier say of the deliveries of a round."""

    deliveries: int
    requests: int
    duplicates: int
    """Requests that a receiver got after it had accepted the delivery already."""
    cut_off: int
    """Attempts that were made again under the same number, since their notifier was killed before it recorded them."""
    unheard: int
    """Attempts that the receiver accepted, and whose answer the notifier did not get."""


def until_answered(product: Product) -> None:
    """Wait for the API: its last kill may have come just before the last case ended by another replica."""

    def alive() -> bool:
        try:
            return product.client.get("/health/ready").is_success
        except httpx.TransportError:
            return False

    wait_until(alive, SETTLE_SECONDS)


def check_documents(product: Product, case: Case) -> None:
    """Every document is available, and its link gives the bytes of the source."""
    expected = {document.document_id: document for document in product.simulator.case(case.number).documents}
    listed = product.client.get(f"/processes/{case.number}/files").raise_for_status().json()["documents"]
    assert {document["id"] for document in listed} == set(expected), case.number
    with httpx.Client(timeout=30, trust_env=False) as plain:
        for document in listed:
            body = plain.get(document["download_url"]).raise_for_status().content
            right = expected[document["id"]]
            assert hashlib.sha256(body).hexdigest() == document["sha256"] == right.sha256, document["id"]
            assert document["size"] == len(body) == right.size, document["id"]


def check_failed(case: Case, view: Mapping[str, Any]) -> None:
    """A bad case ended, and each of its documents says why."""
    assert case.bad is not None
    code = "unexpected_answer" if case.bad.startswith("malformed") else "source_unavailable"
    assert view["status"] == "failed", f"{case.number} is {view['status']}"
    assert [each["error_code"] for each in view["documents"]] == [code] * case.documents, (case.number, case.bad)


def deliveries_of(product: Product, number: str) -> list[dict[str, Any]]:
    """The deliveries of a case with every attempt, by the API."""
    answer = product.client.get("/webhooks/deliveries", params={"process_number": number}).raise_for_status().json()
    identities = [delivery["id"] for delivery in answer["deliveries"]]
    return [product.client.get(f"/webhooks/deliveries/{identity}").raise_for_status().json() for identity in identities]


def check_webhooks(product: Product, cases: Sequence[Case], path: str) -> Webhooks:
    """Each case has one delivery, delivered; every request too many has a reason."""
    deliveries = [
        wait_until(partial(_delivered, product, case), SETTLE_SECONDS, f"delivery {case.number}") for case in cases
    ]
    # Only now: what was on its way at the end of the storm has come.
    received = product.receiver.received(path)
    requests, duplicates, cut_off, unheard = 0, 0, 0, 0
    for case, (delivery,) in zip(cases, deliveries, strict=True):
        mine = [call for call in received if call.path == f"{path}/{case.number}"]
        assert mine, f"{case.number}: recorded as delivered, never received"
        assert all(call.verified for call in mine), case.number
        assert {call.webhook_id for call in mine} == {delivery["id"]}, case.number
        status = "completed" if case.bad is None else "failed"
        assert all(call.body["data"]["status"] == status for call in mine), case.number
        recorded = {attempt["attempt"]: attempt for attempt in delivery["attempts"]}
        accepted = [call.attempt for call in mine if 200 <= call.answered < 300]
        numbers = set(accepted)
        assert numbers <= set(recorded), f"{case.number}: {accepted} were accepted, {set(recorded)} are recorded"
        known = [number for number in numbers if recorded[number]["succeeded"]]
        mute = [number for number in numbers if not recorded[number]["succeeded"]]
        assert len(known) == 1, f"{case.number}: attempts {known} are recorded as successful, {accepted} were accepted"
        requests += len(mine)
        # Each of these is one of the two reasons for which at-least-once means more than once.
        duplicates += len(accepted) - 1
        cut_off += len(accepted) - len(numbers)
        unheard += len(mute)
    assert duplicates == cut_off + unheard
    return Webhooks(len(cases), requests, duplicates, cut_off, unheard)


def _delivered(product: Product, case: Case) -> list[dict[str, Any]]:
    found = deliveries_of(product, case.number)
    return found if found and all(delivery["status"] == "delivered" for delivery in found) else []


@contextmanager
def invariants(product: Product, *, hashes: bool = True, patience: Patience | None = None) -> Iterator[Check]:
    """The check of ``autos doctor --deep`` on a running product; by default nothing is given any time."""
    stack = product.stack()
    settings = StorageSettings.model_validate(
        {
            "s3_endpoint_url": stack["s3"]["endpoint"],
            "s3_bucket": stack["s3"]["bucket"],
            "aws_access_key_id": stack["s3"]["access_key_id"],
            "aws_secret_access_key": stack["s3"]["secret_access_key"],
        }
    )
    strict = patience or Patience(timedelta(0), timedelta(0))
    with (
        closing(TopicReader(stack["kafka"], "autos")) as topics,
        closing(DatabaseReader(stack["database_url"], EVER)) as database,
    ):
        yield Check(database, StoreReader(make_store(settings), hashes=hashes), topics, strict, EVER)


def check_invariants(product: Product) -> Findings:
    """Wait until nothing is in progress any more; then nothing may be wrong."""

    def look() -> Findings | None:
        try:
            return check.run()
        except InfrastructureAway:
            # A broker that was killed a moment ago.
            return None

    def quiet() -> Findings | None:
        findings = look()
        seen[:] = findings.running if findings else ["the broker is away"]
        return None if findings is None or findings.running else findings

    seen: list[str] = []
    with invariants(product) as check:
        try:
            findings = wait_until(quiet, SETTLE_SECONDS)
        except AssertionError:
            raise AssertionError(f"not quiet after {SETTLE_SECONDS:g} s: {seen}") from None
    assert findings is not None
    assert not findings.mismatches, [mismatch.words for mismatch in findings.mismatches]
    return findings
