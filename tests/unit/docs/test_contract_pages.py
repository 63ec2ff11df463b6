"""docs/reference/http-api.md and webhooks.md name what the API has: every route, parameter and field, and no other."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from shared.domain.statuses import DeliveryStatus
from shared.events.process_completed import JobOutcome
from shared.http.guard import check_url
from shared.webhooks.signing import signature_headers
from tools.postman.generate import openapi_document
from tools.reference.notes import URL_CODES

REFERENCE = Path(__file__).parents[3] / "docs" / "reference"
# Not in the OpenAPI document, which is about the API.
PAGES_OF_OURS = {"GET /", "GET /docs", "GET /openapi.json"}
_ROUTE = re.compile(r"`((?:GET|POST|PUT|PATCH|DELETE) /[^`\s?]*)`")


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return openapi_document()


@pytest.fixture(scope="module")
def page() -> str:
    return (REFERENCE / "http-api.md").read_text()


def section(page: str, heading: str) -> str:
    return page.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def fields(page: str, name: str) -> set[str]:
    """The names that a paragraph lists behind the view's name."""
    found = re.search(rf"^\*\*{name}\*\*: `([^`]+)`", page, re.M)
    assert found is not None, name
    return set(re.findall(r"\w+", re.sub(r"\{[^}]*\}", "", found[1])))


def test_every_route_is_on_the_page_and_no_other(document: dict[str, Any], page: str) -> None:
    routes = {f"{method.upper()} {path}" for path, item in document["paths"].items() for method in item}
    assert set(_ROUTE.findall(section(page, "Routes"))) == routes | PAGES_OF_OURS


def test_every_parameter_is_on_the_page(document: dict[str, Any], page: str) -> None:
    parameters = {
        parameter["name"]
        for item in document["paths"].values()
        for operation in item.values()
        for parameter in operation.get("parameters", [])
        if parameter["in"] == "query"
    }
    assert {name for name in parameters if f"`{name}" not in page} == set()


@pytest.mark.parametrize("view", ["ProcessView", "JobView", "DocumentView"])
def test_a_view_is_listed_with_its_fields(document: dict[str, Any], page: str, view: str) -> None:
    known = set(document["components"]["schemas"][view]["properties"])
    listed = fields(page, view)
    assert listed <= known
    assert {name for name in known - listed if f"`{name}`" not in page} == set()


@pytest.mark.parametrize("view", ["JobView", "DocumentView"])
def test_every_status_of_a_view_is_explained(document: dict[str, Any], page: str, view: str) -> None:
    states = document["components"]["schemas"][view]["properties"]["status"]["enum"]
    of = {"JobView": "job", "DocumentView": "document"}[view]
    table = page.partition(f"| Status of a {of} |")[2].partition("\n\n")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.M)) == set(states)


def test_the_page_on_webhooks_names_headers_fields_codes_and_states(document: dict[str, Any]) -> None:
    text = (REFERENCE / "webhooks.md").read_text()
    headers = signature_headers(["whsec_AAAA"], "id", datetime(2026, 3, 2, tzinfo=UTC), b"", 1)
    assert set(re.findall(r"^\| `(webhook-\w+)` \|", text, re.M)) == set(headers)
    data = document["components"]["schemas"]["CompletedData"]["properties"]
    assert {name for name in data if f'"{name}"' not in text} == set()
    assert {outcome for outcome in JobOutcome if outcome not in text} == set()
    assert set(re.findall(r"`(\w+)`", section(text, "Which URLs are taken"))) >= set(URL_CODES)
    states = text.partition("| Status of a delivery |")[2].partition("\n\n")[0]
    assert {state for state in DeliveryStatus if f"`{state}`" not in states} == set()
    assert check_url.__module__.replace(".", "/") + ".py" in text
