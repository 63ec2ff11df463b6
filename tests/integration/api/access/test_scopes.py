"""What each scope alone opens, route by route."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

import pytest
from obstore.store import S3Store

from ops.clients import SCOPES
from services.api.http.provided import parts_of
from tests.integration.api.scripted import ApiTools, MakeApp, MakeKey, MakeNumber, ScriptedSource, client_of
from tests.integration.api.test_documents_and_jobs import put
from tests.integration.api.test_http import HOOK, assert_problem

ANY = str(uuid.UUID(int=7))


@dataclass(frozen=True)
class Route:
    verb: str
    path: str
    scopes: frozenset[str]
    """Each of which is enough by itself, besides admin; empty: no single one is."""
    query: str = ""
    body: Any = None


def route(operation: str, *scopes: str, query: str = "", body: Any = None) -> Route:
    verb, path = operation.split()
    return Route(verb, path, frozenset(scopes), query, body)


ROUTES = [
    route("GET /processes", "read"),
    route("GET /events", "read"),
    route("GET /processes/{numero}", query="?auto_download=true"),
    route("GET /processes/{numero}", "read", query="?auto_download=false"),
    route("GET /processes/{numero}", query=f"?auto_download=false&webhook_url={HOOK}"),
    route("GET /processes/{numero}/status", "read"),
    route("GET /processes/{numero}/events", "read"),
    route("GET /processes/{numero}/documents", "read"),
    route("GET /processes/{numero}/movements", "read"),
    route("GET /processes/{numero}/parties", "read"),
    route("GET /processes/{numero}/files", "read"),
    route("GET /processes/{numero}/documents/{document_id}/content", "read"),
    route("GET /processes/{numero}/documents/{document_id}/preview", "read"),
    route("GET /processes/{numero}/documents.zip", "read"),
    route("GET /processes/{numero}/manifest.json", "read"),
    route("GET /jobs/{job_id}", "read"),
    route("POST /tokens/stream", "read"),
    route("POST /processes/batch", "download", body={"process_numbers": ["{numero}"]}),
    route("POST /processes/batch", body={"process_numbers": ["{numero}"], "webhook_url": HOOK}),
    route("POST /processes/{numero}/download-documents", "download"),
    route("POST /processes/{numero}/download-document/{document_id}", "download"),
    route("POST /processes/{numero}/download-all-documents", "download"),
    route("POST /processes/{numero}/download-all-documents", body={"webhook_url": HOOK}),
    route("POST /jobs/{job_id}/cancel", "download"),
    route("GET /webhooks/secret", "webhooks"),
    route("POST /webhooks/secret/rotate", "webhooks"),
    route("POST /webhooks/test", "webhooks", body={"url": HOOK}),
    route("GET /webhooks/deliveries", "webhooks"),
    route("GET /webhooks/deliveries/{delivery_id}", "webhooks"),
    route("POST /webhooks/deliveries/{delivery_id}/redeliver", "webhooks"),
    route("GET /webhooks/endpoints", "webhooks"),
    route("POST /webhooks/endpoints", "webhooks", body={"url": HOOK}),
    route("GET /webhooks/endpoints/{endpoint_id}", "webhooks"),
    route("PATCH /webhooks/endpoints/{endpoint_id}", "webhooks", body={}),
    route("DELETE /webhooks/endpoints/{endpoint_id}", "webhooks"),
    route("POST /webhooks/endpoints/{endpoint_id}/secret/rotate", "webhooks"),
    route("POST /webhooks/endpoints/{endpoint_id}/enable", "webhooks"),
    route("GET /source/status", *SCOPES),
    route("GET /system"),
    route("GET /access-log"),
    route("GET /dead-letters"),
    route("POST /dead-letters/{letter_id}/replay"),
    route("GET /deletions"),
    route("GET /deletions/{deletion_id}"),
    # The last, since nothing is left of the case.
    route("DELETE /processes/{numero}", query="?wait=0"),
]


def test_the_table_has_every_route_that_needs_a_key(make_app: MakeApp) -> None:
    paths = make_app().openapi()["paths"]
    guarded = {(v.upper(), path) for path, item in paths.items() for v, one in item.items() if one["security"]}
    assert guarded == {(one.verb, one.path) for one in ROUTES}


@pytest.mark.parametrize("scope", SCOPES)
async def test_a_scope_alone_opens_what_the_table_says(
    tools: ApiTools,
    scope: str,
) -> None:
    number, client_id = tools.process_number(), f"client-{uuid.uuid4().hex[:8]}"
    tools.source.add(number, 1)
    app = tools.make_app()
    async with client_of(app, tools.new_key(client_id)) as owner:
        view = (await owner.get(f"/processes/{number}")).json()
    await put(parts_of(app).get(S3Store), view, tools.progress)
    names = {"numero": number, "document_id": view["documents"][0]["id"], "job_id": view["job"]["job_id"]}
    names |= {"deletion_id": ANY, "delivery_id": ANY, "endpoint_id": ANY, "letter_id": "document.dead/0/999999"}
    async with client_of(app, tools.new_key(client_id, scopes=(scope,))) as client:
        for one in ROUTES:
            body = (
                {**one.body, **({"process_numbers": [number]} if "process_numbers" in one.body else {})}
                if one.body
                else None
            )
            answer = await client.request(one.verb, one.path.format(**names) + one.query, json=body)
            if scope in one.scopes or scope == "admin":
                assert answer.status_code not in (401, 403) and answer.status_code < 500, (one, answer.text)
            else:
                assert_problem(answer, 403, "insufficient_scope")


async def test_a_key_without_read_is_shown_the_job_alone(
    make_app: MakeApp, new_key: MakeKey, source: ScriptedSource, process_number: MakeNumber
) -> None:
    number = process_number()
    source.add(number, 2)
    async with client_of(make_app(), new_key(scopes=("download",))) as client:
        registered = await client.post(f"/processes/{number}/download-documents")
        assert registered.status_code == 200 and registered.json() == {"process_number": number, "job": None}
        identity = source.cases[number].documents[0].document_id
        for path in ("download-all-documents", f"download-document/{identity}"):
            answer = await client.post(f"/processes/{number}/{path}")
            assert answer.status_code == 202 and set(answer.json()) == {"process_number", "job"}
            assert answer.json()["job"]["status"] == "pending"
        cancelled = (await client.post(f"/jobs/{answer.json()['job']['job_id']}/cancel")).json()
        assert cancelled["status"] == "cancelled" and cancelled["process_number"] == number
        assert "documents" not in cancelled
        for text in ("Parte Autora", "Petição", "http"):
            assert text not in registered.text + answer.text + str(cancelled)


async def test_a_webhook_with_both_scopes_is_attached(
    make_app: MakeApp, new_key: MakeKey, source: ScriptedSource, process_number: MakeNumber
) -> None:
    number = process_number()
    source.add(number, 1)
    asked = {"auto_download": "false", "webhook_url": HOOK}
    app = make_app()
    async with client_of(app, new_key(scopes=("read", "download"))) as client:
        assert_problem(
            await client.get(f"/processes/{number}", params={"webhook_url": HOOK}), 403, "insufficient_scope"
        )
        assert number not in source.reads
        assert (await client.get(f"/processes/{number}")).status_code == 200
    async with client_of(app, new_key(scopes=("read", "webhooks"))) as client:
        answer = await client.get(f"/processes/{number}", params=asked)
        assert answer.status_code == 200 and answer.json()["webhook"]["url"] == HOOK
