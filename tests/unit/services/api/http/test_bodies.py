"""A body that is not JSON is told what it is and what was expected."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from fastapi import Response
from pydantic import BaseModel

from services.api.http.bodies import is_json
from tests.unit.services.api.http.problem_app import problem_app


class Wanted(BaseModel):
    numbers: list[str]


async def post(content: bytes, content_type: str | None = "application/json") -> dict[str, Any]:
    app = problem_app()

    @app.post("/batch")
    async def take(body: Wanted) -> Response:
        return Response()

    headers = {"Content-Type": content_type} if content_type is not None else {}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api") as client:
        answer = await client.post("/batch", content=content, headers=headers)
    problem: dict[str, Any] = answer.json()
    assert answer.status_code == problem["status"] and problem["errors"][0]["message"] in problem["detail"]
    return problem


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (b'{"numbers": [', "line 1, column 14 (character 13); it ends there"),
        (b'{"numbers": ["1"', "line 1, column 17 (character 16); it ends there"),
        (b'{\n "numbers": [1,]\n}', "line 2, column"),
        (b"not json", "line 1, column 1 (character 0)"),
        (b"{'numbers': []}", "line 1, column 2 (character 1)"),
        (b"   ", "line 1, column 4 (character 3); it ends there"),
    ],
)
async def test_broken_json_is_told_with_its_place(content: bytes, place: str) -> None:
    problem = await post(content)
    assert (problem["status"], problem["code"]) == (422, "validation_failed")
    assert (problem["errors"][0]["field"], problem["errors"][0]["code"]) == ("body", "json_invalid")
    assert problem["detail"].startswith("the body is not JSON: ") and place in problem["detail"]


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", None])
async def test_an_empty_body_is_told(content_type: str | None) -> None:
    problem = await post(b"", content_type)
    assert (problem["code"], problem["errors"][0]["code"]) == ("validation_failed", "missing")
    assert "the body is empty" in problem["detail"] and "Content-Type: application/json" in problem["detail"]


@pytest.mark.parametrize("content_type", ["application/x-www-form-urlencoded", "text/plain; charset=utf-8", "x" * 300])
async def test_another_content_type_is_told(content_type: str) -> None:
    problem = await post(b'{"numbers": []}', content_type)
    assert (problem["status"], problem["code"]) == (415, "unsupported_media_type")
    assert f"Content-Type is {content_type[:100]}" in problem["detail"]
    assert "send JSON with the header Content-Type: application/json" in problem["detail"]


async def test_a_body_without_a_content_type_is_told() -> None:
    problem = await post(b'{"numbers": []}', None)
    assert (problem["code"], "there is no Content-Type" in problem["detail"]) == ("unsupported_media_type", True)


async def test_a_body_that_is_no_text_is_told_where() -> None:
    problem = await post(b'{"numbers": ["\xff\xfe"]}')
    assert problem["errors"][0]["code"] == "json_invalid" and "the byte at 14 is not" in problem["detail"]


async def test_json_of_another_shape_names_its_fields() -> None:
    problem = await post(b'{"numbers": 7}', "application/vnd.autos+json")
    assert problem["errors"][0]["field"] == "body.numbers"


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [("application/json; charset=utf-8", True), ("application/ld+json", True), ("text/json", False), ("", False)],
)
def test_what_counts_as_json(content_type: str, expected: bool) -> None:
    assert is_json(content_type) is expected
