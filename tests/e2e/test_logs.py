"""What the running services log: who they are, each request, and nothing that anybody could use."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from autos import __version__
from tests.e2e.journey import ask
from tests.product import Product
from tests.support import wait_until


def lines(product: Product, process: str, message: str) -> list[dict[str, Any]]:
    """The log lines with this message, oldest first."""
    read = (json.loads(line) for line in product.log(process).splitlines() if line.startswith("{"))
    return [line for line in read if line["message"] == message]


@pytest.mark.parametrize("process", ["api", "api.2", "downloader", "status", "notifier"])
def test_a_service_begins_with_its_version_addresses_and_settings(product: Product, process: str) -> None:
    first = lines(product, process, "The service starts")[-1]
    assert (first["version"], first["pid"]) == (__version__, product.pid(process))
    assert first["level"] == "info"
    assert ("api" if process.startswith("api") else "metrics") in first["listens"]
    assert first["settings"]["AUTOS_KAFKA_BOOTSTRAP_SERVERS"] == product.stack()["kafka"]
    assert "@" not in first["settings"]["AUTOS_DATABASE_URL"]


def test_no_log_has_a_secret_of_the_stack(product: Product) -> None:
    kept = json.loads((product.data_dir / "secrets.json").read_text())
    secrets = {value for value in [*kept.values(), product.api_key] if isinstance(value, str) and len(value) > 8}
    assert len(secrets) > 5
    for process in product.stack()["processes"]:
        log = product.log(process)
        assert not [secret for secret in secrets if secret in log], process


def test_each_request_is_a_line_with_its_route_and_client(product: Product, process_number: Callable[[], str]) -> None:
    number = process_number()
    product.simulator.put_case(number, documents=1, size=1_000)
    ask(product, number)
    product.wait_for_end(number)
    marked = {"x-request-id": f"logs-{number.replace('.', '-')}"}
    assert product.client.get(f"/processes/{number}/status", headers=marked).status_code == 200

    def told() -> list[dict[str, Any]]:
        found = [line for api in ("api", "api.2") for line in lines(product, api, "A request is answered")]
        return [line for line in found if line["request_id"] == marked["x-request-id"]]

    (line,) = wait_until(told, what="the line of the request")
    assert {name: line[name] for name in ("level", "method", "route", "status", "client_id")} == {
        "level": "info",
        "method": "GET",
        "route": "/processes/{numero}/status",
        "status": 200,
        "client_id": "dev",
    }
    assert line["duration_ms"] > 0
    assert number not in str({name: value for name, value in line.items() if name != "request_id"})
