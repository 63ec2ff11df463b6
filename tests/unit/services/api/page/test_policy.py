"""What the browser lets the page do, and who gets the page."""

from __future__ import annotations

import pytest

from services.api.page.policy import content_policy, origin_of
from services.api.page.routes import prefers_json


def directives(policy: str) -> dict[str, str]:
    return {name: value for name, _, value in (part.partition(" ") for part in policy.split("; "))}


def test_everything_comes_from_the_api_and_documents_from_the_store() -> None:
    found = directives(content_policy("https://store.example"))
    assert found["default-src"] == "'none'"
    assert found["script-src"] == found["style-src"] == found["connect-src"] == "'self'"
    assert found["frame-src"] == "https://store.example"
    assert found["img-src"] == "'self' https://store.example"
    assert found["frame-ancestors"] == found["base-uri"] == found["form-action"] == "'none'"
    assert found["require-trusted-types-for"] == "'script'"


def test_without_a_store_nothing_is_framed() -> None:
    found = directives(content_policy(None))
    assert (found["frame-src"], found["img-src"]) == ("'none'", "'self'")


def test_an_extension_may_bring_its_module_and_answer_it_and_no_more() -> None:
    plain = directives(content_policy("http://127.0.0.1:8333"))
    extended = directives(content_policy("http://127.0.0.1:8333", "http://127.0.0.1:9000"))
    changed = {name for name in plain if plain[name] != extended[name]}
    assert changed == {"script-src", "connect-src", "style-src"} - {"style-src"}
    assert extended["script-src"] == "'self' http://127.0.0.1:9000"


def test_the_origin_of_an_address() -> None:
    assert origin_of("http://127.0.0.1:8333/autos/key?x=1") == "http://127.0.0.1:8333"


@pytest.mark.parametrize(
    ("accept", "json"),
    [
        ("", False),
        ("*/*", False),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", False),
        ("application/json", True),
        ("application/json, text/plain, */*", True),
        ("application/json;q=0.5, text/html", False),
        ("text/html, application/json", False),
    ],
)
def test_a_program_that_asks_for_json_gets_json(accept: str, json: bool) -> None:
    assert prefers_json(accept) is json
