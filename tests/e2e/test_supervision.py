"""The processes of a running stack: what is written about them, where they listen, what a kill of one does."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from shared.domain.cnj import ProcessNumber
from tests.product import NAMES, Product, is_ready
from tests.support import wait_until


def test_stack_json_has_the_shape_of_the_contract(product: Product) -> None:
    stack = product.stack()
    assert set(stack) == {"api_url", "api_key", "webhook_secret", "kafka", "database_url", "s3", "processes"}
    assert set(stack["s3"]) == {"endpoint", "bucket", "access_key_id", "secret_access_key"}
    assert set(stack["processes"]) == NAMES | {"api.2"}
    for name, entry in stack["processes"].items():
        assert set(entry) == {"pid", "command", "log"}
        assert psutil.Process(entry["pid"]).cmdline() == shlex.split(entry["command"]), name
        assert Path(entry["log"]).exists()


def test_everything_listens_on_loopback_only(product: Product) -> None:
    for name, entry in product.stack()["processes"].items():
        for connection in psutil.Process(entry["pid"]).net_connections():
            if connection.status == "LISTEN":
                assert connection.laddr.ip in {"127.0.0.1", "::1", "::ffff:127.0.0.1"}, (name, connection)


@pytest.mark.parametrize("process", ["api", "downloader", "status", "notifier"])
def test_a_killed_service_is_started_again_and_works(
    product: Product, process: str, process_number: Callable[[], ProcessNumber]
) -> None:
    number = process_number()
    product.simulator.put_case(number, documents=3, size=2_000)
    product.wait_for_restart(process, product.kill(process))
    wait_until(lambda: is_ready(product.api_url), what="the API")
    path = f"/killed/{process}/{number}"
    answer = product.client.get(f"/processes/{number}", params={"webhook_url": product.receiver.url(path)})
    assert answer.status_code in {200, 202}
    assert product.wait_for_end(number)["status"] == "completed"
    assert product.wait_for_webhook(path)[0].verified
