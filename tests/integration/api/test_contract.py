"""Real answers against the OpenAPI document: every field that it promises, with its type."""

from __future__ import annotations

import uuid
from typing import Any
from urllib.parse import quote

import httpx
import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.api.scripted import ApiTools, MakeApp, MakeKey, client_of
from tests.integration.api.test_documents_and_jobs import add_delivery


def conforms(document: dict[str, Any], answer: httpx.Response, path: str, verb: str = "get") -> None:
    """The status is documented, and so is the shape of what came."""
    operation = document["paths"][path][verb]
    assert str(answer.status_code) in operation["responses"], (verb, path, answer.status_code, answer.text[:200])
    media = answer.headers.get("content-type", "").partition(";")[0]
    content = operation["responses"][str(answer.status_code)].get("content", {})
    if not answer.content:
        return
    assert media in content, (verb, path, answer.status_code, media)
    schema = {**content[media]["schema"], "components": document["components"]}
    if media.endswith("json"):
        validator = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())
        validator.validate(answer.json())


async def test_answers_have_the_documented_shapes(tools: ApiTools) -> None:
    number, client = tools.process_number(), f"client-{uuid.uuid4().hex}"
    tools.source.add(number, 3)
    app = tools.make_app()
    document = app.openapi()
    async with client_of(app, tools.new_key(client)) as api:

        async def get(path: str, template: str, **parameters: Any) -> None:
            conforms(document, await api.get(path, params=parameters), template)

        first = await api.get(f"/processes/{number}", params={"webhook_url": "http://127.0.0.1:8099/x"})
        conforms(document, first, "/processes/{numero}")
        view = first.json()
        ids = [one["id"] for one in view["documents"]]
        tools.progress.plan(view, 3)
        tools.progress.available(view, ids[0])
        tools.progress.failed(view, ids[1])
        await get(f"/processes/{number}", "/processes/{numero}")
        await get("/processes/1", "/processes/{numero}")
        await get(f"/processes/{number}/status", "/processes/{numero}/status")
        await get(f"/processes/{tools.process_number()}/status", "/processes/{numero}/status")
        await get(f"/processes/{number}/files", "/processes/{numero}/files")
        content = "/processes/{numero}/documents/{document_id}/content"
        await get(f"/processes/{number}/documents/{ids[0]}/content", content)
        await get(f"/processes/{number}/documents/{ids[1]}/content", content)
        await get(f"/jobs/{view['job']['job_id']}", "/jobs/{job_id}")
        await get(f"/jobs/{uuid.uuid4()}", "/jobs/{job_id}")
        await get("/processes", "/processes")
        delivery = add_delivery(tools.owner, client, number, status="waiting")
        await get("/webhooks/deliveries", "/webhooks/deliveries", limit=1)
        await get(f"/webhooks/deliveries/{delivery}", "/webhooks/deliveries/{delivery_id}")
        await get("/webhooks/endpoints", "/webhooks/endpoints")
        await get("/webhooks/secret", "/webhooks/secret")
        for path in ("/health/live", "/health/ready", "/metrics"):
            await get(path, path)
        for path, template, body in (
            (f"/processes/{number}/download-all-documents", "/processes/{numero}/download-all-documents", {}),
            (f"/processes/{number}/download-documents", "/processes/{numero}/download-documents", None),
            (
                f"/processes/{number}/download-document/{ids[2]}",
                "/processes/{numero}/download-document/{document_id}",
                None,
            ),
            ("/processes/batch", "/processes/batch", {"process_numbers": [number, "1"]}),
            ("/webhooks/test", "/webhooks/test", {"url": "http://127.0.0.1:9/"}),
            ("/webhooks/secret/rotate", "/webhooks/secret/rotate", None),
            (f"/webhooks/deliveries/{delivery}/redeliver", "/webhooks/deliveries/{delivery_id}/redeliver", None),
            (f"/jobs/{view['job']['job_id']}/cancel", "/jobs/{job_id}/cancel", None),
        ):
            conforms(document, await api.post(path, json=body), template, "post")


@pytest.fixture
def fuzzed(make_app: MakeApp, new_key: MakeKey) -> tuple[Any, str]:
    return make_app(), new_key()


_TEXT = st.text(max_size=30)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
async def test_whatever_is_sent_the_answer_is_documented(fuzzed: tuple[Any, str], data: st.DataObject) -> None:
    app, key = fuzzed
    document = app.openapi()
    paths = sorted(path for path in document["paths"] if path != "/webhooks/test")
    template = data.draw(st.sampled_from(paths))
    verb = data.draw(st.sampled_from(sorted(document["paths"][template])))
    operation = document["paths"][template][verb]
    path, query, headers = template, {}, {}
    for parameter in operation.get("parameters", []):
        value = data.draw(st.one_of(_TEXT, st.sampled_from(["1", "true", str(uuid.UUID(int=7)), "-1", "1e400", "nan"])))
        if parameter["in"] == "path":
            path = path.replace(f"{{{parameter['name']}}}", quote(value, safe="") or "x")
        elif parameter["in"] == "query" and data.draw(st.booleans()):
            query[parameter["name"]] = value
        elif parameter["in"] == "header" and data.draw(st.booleans()) and value.isascii() and value.isprintable():
            headers[parameter["name"]] = value
    if "wait" in query:
        query["wait"] = "0"
    body = data.draw(st.one_of(st.none(), st.recursive(st.one_of(st.none(), _TEXT, st.integers()), st.lists)))
    async with client_of(app, key) as api:
        answer = await api.request(verb, path, params=query, headers=headers, json=body)
    assert answer.status_code < 500, answer.text
    if answer.status_code not in (404, 405):
        # Another path may have come out of the text.
        conforms(document, answer, template, verb)
        # What is documented is known to the check of query parameters too.
        assert '"unknown_parameter"' not in answer.text or path == "/metrics"
