"""The operator's commands on the running product: dead letters and the projection."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from autos.local.pdpj.control import Failure, FailureKind
from tests.e2e.journey import ask, autos, check_files, files
from tests.product import Product
from tests.support import wait_until


def test_a_dead_document_is_listed_shown_and_replayed(product: Product, process_number: Callable[[], str]) -> None:
    number = process_number()
    product.simulator.put_case(
        number, documents=3, size=1000, failures=[Failure(kind=FailureKind.NO_ACCESS_403, document=1, times=1)]
    )
    ask(product, number)
    assert product.wait_for_end(number)["status"] == "partial"

    listed = wait_until(
        lambda: re.findall(
            r"^(document\.dead/\d+/\d+) .*no_access$", autos(product, "dead", "list", "--process", number).stdout, re.M
        ),
    )
    assert len(listed) == 1
    shown = autos(product, "dead", "show", listed[0])
    assert "reason: no_access" in shown.stdout
    assert number in shown.stdout
    log = product.client.get("/access-log", params={"numero": number}).json()["entries"]
    assert [(one["client_id"], one["sealed"]) for one in log if one["route"] == "autos dead show"] == [(None, False)]

    replayed = autos(product, "dead", "replay", listed[0])
    assert replayed.returncode == 0, replayed.stderr
    wait_until(lambda: len(files(product, number)) == 3)
    assert check_files(product, number) == 3
    job = product.status(number)
    assert (job["status"], job["completed_documents"], job["failed_documents"]) == ("completed", 3, 0)


def test_all_deliveries_given_up_since_a_time_are_sent_again(
    product: Product, process_number: Callable[[], str]
) -> None:
    def given_up(path: str) -> str:
        number = process_number()
        product.simulator.put_case(number, documents=1, size=1000)
        product.receiver.answer(path, 500, times=4)
        ask(product, number, webhook_url=product.receiver.url(path))
        product.wait_for_webhook(path, 4)

        def exhausted() -> bool:
            query = {"process_number": number, "status": "exhausted"}
            return len(product.client.get("/webhooks/deliveries", params=query).json()["deliveries"]) == 1

        wait_until(exhausted)
        return path

    earlier = given_up("/operator/earlier")
    since = datetime.now(UTC).isoformat()
    later = [given_up(f"/operator/later/{number}") for number in range(2)]
    done = autos(product, "redeliver", "--exhausted-since", since)
    assert (done.returncode, done.stdout.strip()) == (0, "asked for 2"), done.stderr
    for path in later:
        calls = product.wait_for_webhook(path, 5)
        assert len({call.webhook_id for call in calls}) == 1
        assert calls[-1].attempt == 5
    assert len(product.receiver.received(earlier)) == 4
    assert autos(product, "redeliver", "--exhausted-since", "yesterday").returncode == 2
    assert autos(product, "redeliver").returncode == 2


def test_a_dead_letter_that_is_not_there_is_one_clear_line(product: Product) -> None:
    answer = autos(product, "dead", "show", "document.dead/0/99999999")
    assert answer.returncode == 2
    assert answer.stderr.strip() == "there is no document.dead/0/99999999"
    assert autos(product, "dead", "replay", "nonsense").returncode == 2


def test_the_projection_is_rebuilt_while_the_product_runs(product: Product, process_number: Callable[[], str]) -> None:
    number, later = process_number(), process_number()
    product.simulator.put_case(number, documents=4, size=1000)
    product.simulator.put_case(later, documents=2, size=1000)
    ask(product, number)
    before = product.wait_for_end(number)

    answer = autos(product, "projection", "rebuild")
    assert answer.returncode == 0, answer.stderr
    assert "rebuilt from" in answer.stdout

    after = product.status(number)
    volatile = {"download_url", "download_url_expires_at"}

    def strip(view: dict[str, Any]) -> list[dict[str, Any]]:
        return [{k: v for k, v in doc.items() if k not in volatile} for doc in view.pop("documents")]

    assert strip(before) == strip(after)
    assert before == after
    ask(product, later)
    assert product.wait_for_end(later)["status"] == "completed"
