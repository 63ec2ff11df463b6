"""The Postman collection against the running product, by newman, where Node is there (`make test` installs newman)."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shared.domain.cnj import ProcessNumber
from tests.e2e.journey import new_key
from tests.product import Product

COLLECTION = Path(__file__).parents[2] / "docs" / "postman" / "autos.postman_collection.json"


@pytest.fixture(scope="session")
def newman() -> list[str]:
    """The command: newman on PATH, or the one beside this Python. Skips where there is none."""
    beside = Path(sys.prefix) / "newman" / "node_modules" / ".bin"
    found = shutil.which("newman") or shutil.which("newman", path=str(beside))
    if found is None or shutil.which("node") is None:
        pytest.skip("needs Node, and newman (requirements/newman, which `make test` installs)")
    return [found]


def test_every_request_of_the_collection_passes_its_tests(
    # First, so that nothing is started where it is not there.
    newman: list[str],
    product: Product,
    process_number: Callable[[], ProcessNumber],
    tmp_path: Path,
) -> None:
    numbers = [process_number() for _ in range(2)]
    for number in numbers:
        product.simulator.put_case(number, documents=4, size=5_000, latency=0.05)
    # A client of its own: the collection makes a new signing secret too.
    key = new_key(product, f"postman-{numbers[0]}")
    values = {
        "base_url": product.api_url,
        "api_key": key,
        "process_number": numbers[0],
        "other_process_number": numbers[1],
        "webhook_url": product.receiver.url(f"/postman/{numbers[0]}"),
    }
    environment = tmp_path / "environment.json"
    # In a file, since everybody can read a command line.
    environment.write_text(
        json.dumps({"name": "test", "values": [{"key": k, "value": v, "enabled": True} for k, v in values.items()]})
    )
    report = tmp_path / "report.json"
    ended = subprocess.run(
        [
            *(*newman, "run", str(COLLECTION), "--environment", str(environment)),
            *("--reporters", "cli,json", "--reporter-json-export", str(report)),
            *("--timeout-request", "60000", "--color", "off", "--disable-unicode"),
        ],
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )
    assert report.is_file(), ended.stderr or ended.stdout
    run: dict[str, Any] = json.loads(report.read_text())["run"]
    failures = [f"{one['source'].get('name')}: {one['error']['message']}" for one in run["failures"]]
    assert not failures and ended.returncode == 0, "\n".join(failures) or ended.stdout[-3000:]
    # Each request was sent, so nothing was skipped by a wrong jump.
    sent = {execution["item"]["id"] for execution in run["executions"]}
    assert sent == set(_request_ids(json.loads(COLLECTION.read_text())["item"]))
    assert run["stats"]["assertions"]["total"] >= 2 * len(sent)
    assert len(product.receiver.received(f"/postman/{numbers[0]}")) >= 1


def _request_ids(items: list[dict[str, Any]]) -> list[str]:
    found: list[Any] = []
    for item in items:
        found += _request_ids(item["item"]) if "item" in item else [item["id"]]
    return found
