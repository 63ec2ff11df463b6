"""The committed Postman collection is the one that the code makes, and every request in it is tested."""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tools.postman import generate
from tools.postman.reference import UnknownToTheCollection, reference


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return generate.openapi_document()


@pytest.fixture(scope="module")
def committed() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(generate.COLLECTION.read_text())
    return loaded


def requests(items: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for item in items:
        if "item" in item:
            yield from requests(item["item"])
        else:
            yield item


def test_the_committed_collection_is_up_to_date(document: dict[str, Any], committed: dict[str, Any]) -> None:
    assert committed == generate.collection(document), "run python -m tools.postman.generate"


def test_the_check_sees_a_difference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = tmp_path / "collection.json"
    monkeypatch.setattr(generate, "COLLECTION", copy)
    assert generate.main(["--check"]) == 1
    assert generate.main([]) == 0
    assert generate.main(["--check"]) == 0
    copy.write_text(copy.read_text().replace("Ask for the case", "Ask", 1))
    assert generate.main(["--check"]) == 1


def test_every_operation_is_there_once(document: dict[str, Any], committed: dict[str, Any]) -> None:
    listed = [item["name"] for item in requests(committed["item"][1]["item"])]
    assert sorted(listed) == sorted(
        f"{method.upper()} {path}" for path, operations in document["paths"].items() for method in operations
    )


def test_every_request_has_tests_and_an_id_of_its_own(committed: dict[str, Any]) -> None:
    ids = set()
    for item in requests(committed["item"]):
        script = [line for event in item["event"] if event["listen"] == "test" for line in event["script"]["exec"]]
        assert any("pm.test(" in line for line in script), item["name"]
        assert item["id"] not in ids, item["name"]
        ids.add(item["id"])


def test_every_variable_is_declared_and_no_key_is_kept(committed: dict[str, Any]) -> None:
    declared = {variable["key"]: variable["value"] for variable in committed["variable"]}
    # Made by the request that uses it.
    used = set(re.findall(r"\{\{(\w+)\}\}", json.dumps(committed))) - {"unknown_process_number"}
    assert used <= set(declared)
    assert declared["api_key"] == ""
    # An address, so that nothing is looked up: the collection runs without the internet.
    assert ipaddress.ip_address(httpx.URL(declared["webhook_url"]).host).is_loopback


def test_an_operation_that_cannot_be_filled_in_is_refused() -> None:
    operation: dict[str, Any] = {"responses": {"200": {}}}
    with pytest.raises(UnknownToTheCollection, match="no variable for new_id"):
        reference({"paths": {"/things/{new_id}": {"get": operation}}})
    with pytest.raises(UnknownToTheCollection, match="no body"):
        reference({"paths": {"/things": {"post": {**operation, "requestBody": {}}}}})
