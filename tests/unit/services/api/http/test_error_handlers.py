"""What the framework refuses becomes a problem document; the suffix of an incident gets advice of its own."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import httpx
import pytest
from fastapi import Response

from tests.unit.services.api.http.problem_app import problem_app

NUMBER = "1000145-91.2023.8.26.0597"


async def ask(path: str, method: str = "GET") -> tuple[int, dict[str, Any]]:
    app = problem_app()

    @app.get("/processes/{numero}")
    async def show(numero: str) -> Response:
        return Response(numero)

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api") as client:
        answer = await client.request(method, path)
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()


@pytest.mark.parametrize(
    "path",
    [
        f"/processes/{NUMBER}/50000",
        f"/processes/{NUMBER}/50000/50001",
        f"/processes/{NUMBER}/{quote('(1)')}",
        f"/processes/{NUMBER}/50000/status",
        "/processes/10001459120238260597/0",
    ],
)
async def test_the_suffix_of_an_incident_leads_to_the_case_itself(path: str) -> None:
    status, problem = await ask(path)
    assert (status, problem["code"], problem["errors"][0]["code"]) == (422, "invalid_process_number", "incident")
    assert problem["errors"][0]["field"] == "numero"
    assert f"/processes/{path.split('/')[2]}" in problem["detail"] and "without the suffix" in problem["detail"]


async def test_a_wrong_number_with_a_suffix_is_told_what_is_wrong_with_the_number() -> None:
    status, problem = await ask("/processes/1000145-92.2023.8.26.0597/50000")
    assert (status, problem["code"]) == (422, "invalid_process_number")
    assert problem["errors"][0]["code"] != "incident"


@pytest.mark.parametrize("path", ["/processes", f"/processes/{NUMBER}/anexos", f"/processes/{NUMBER}/1234567", "/x"])
async def test_another_address_that_there_is_not_is_not_found(path: str) -> None:
    status, problem = await ask(path)
    assert (status, problem["code"], problem["request_id"]) == (404, "not_found", "an-id")


async def test_a_method_that_there_is_not_is_a_problem_too() -> None:
    status, problem = await ask(f"/processes/{NUMBER}", "DELETE")
    assert (status, problem["code"]) == (405, "method_not_allowed")
