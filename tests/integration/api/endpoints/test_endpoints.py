"""Endpoints as a resource: registered, changed, removed; bounded; what is secret is not shown and not readable."""

from __future__ import annotations

import base64
import os
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, insert, select, update

from shared.db import catalog, delivery
from shared.db.webhook_endpoints import webhook_endpoints
from shared.webhooks.body_form import BodyForm
from shared.webhooks.headers import HeaderKeys
from shared.webhooks.sealing import SealingKeys
from tests.integration.api.scripted import ApiTools, MakeApp, MakeKey, client_of
from tests.integration.api.test_contract import conforms
from tests.integration.notifier.world import always, receiving

URL = "https://example.com/hooks"
PATH = "/webhooks/endpoints"
KEY = base64.b64encode(os.urandom(32)).decode()
OWN = {"Authorization": "Bearer of-the-receiver", "X-Tenant": "7"}


@pytest.fixture
def hooks(make_app: MakeApp) -> Any:
    """An application whose resolver knows every name."""
    return make_app(webhook_sealing_keys=KEY, webhook_endpoints_per_client=3, rate_limit_burst=1000)


def problem(answer: httpx.Response, status: int, code: str, inner: str | None = None) -> None:
    found = answer.json()
    assert (answer.status_code, found["code"]) == (status, code), found
    if inner is not None:
        assert found["errors"][0]["code"] == inner, found


def sent(owner: Engine, endpoint_id: str) -> list[str]:
    table = catalog.outbox
    with owner.connect() as connection:
        query = select(table.c.type).where(table.c.aggregateid == endpoint_id).order_by(table.c.seq)
        return list(connection.execute(query).scalars())


async def test_the_life_of_an_endpoint(hooks: Any, new_key: MakeKey, owner: Engine) -> None:
    url = "http://127.0.0.1:8099/hook?token=1"
    document = hooks.openapi()
    async with client_of(hooks, new_key()) as api, client_of(hooks, new_key()) as stranger:
        made = await api.post(PATH, json={"url": url, "headers": OWN, "description": "ERP", "rate": "10/second"})
        conforms(document, made, PATH, "post")
        view = made.json()
        place, id_ = f"{PATH}/{view['id']}", view["id"]
        assert (made.status_code, made.headers["location"]) == (201, place)
        assert view["secret"].startswith("whsec_") and view["header_names"] == list(OWN)
        assert (view["events"], view["payload"], view["registered"]) == (["process.completed"], "full", True)
        for other in ("get", "patch", "delete"):
            answer = await stranger.request(other, place, json={} if other == "patch" else None)
            problem(answer, 404, "endpoint_not_found")
        shown = await api.get(place)
        conforms(document, shown, f"{PATH}/{{endpoint_id}}")
        assert "secret" not in shown.json() and "of-the-receiver" not in made.text + shown.text
        changed = await api.patch(place, json={"payload": "thin", "events": ["document.available"], "rate": None})
        conforms(document, changed, f"{PATH}/{{endpoint_id}}", "patch")
        after = changed.json()
        assert (after["payload"], after["events"], after["rate"]) == ("thin", ["document.available"], None)
        assert (after["url"], after["description"], after["header_names"]) == (url, "ERP", list(OWN))
        rotated = (await api.post(f"{place}/secret/rotate")).json()
        assert rotated["secret"] != view["secret"] and rotated["previous_secret_until"] is not None
        assert [one["id"] for one in (await api.get(PATH)).json()["endpoints"]] == [id_]
        with owner.connect() as connection:
            row = connection.execute(select(webhook_endpoints).where(webhook_endpoints.c.endpoint_id == id_)).one()
        assert b"of-the-receiver" not in row.sealed_headers
        assert dict(HeaderKeys(sealing=SealingKeys([KEY])).open(row.sealed_headers, id_)) == OWN
        assert (await api.patch(place, json={"headers": {}})).json()["header_names"] == []
        assert (await api.post(f"{place}/enable")).status_code == 202
        assert (await api.delete(place)).status_code == 204
        problem(await api.delete(place), 404, "endpoint_not_found")
        problem(await api.get(place), 404, "endpoint_not_found")
        assert (await api.get(PATH)).json()["endpoints"] == []
    changed_event, enabled = "autos.webhook.endpoint_changed", "autos.webhook.endpoint_enable_requested"
    assert sent(owner, id_) == [changed_event, changed_event, changed_event, enabled, changed_event]


WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"url": "http://10.0.0.1/"}, "invalid_webhook_url", "address_not_public"),
    ({"url": "https://user:x@example.com/"}, "invalid_webhook_url", "userinfo_not_allowed"),
    ({"events": []}, "invalid_endpoint", "no_events"),
    ({"events": ["process.completed", "nope"]}, "invalid_endpoint", "unknown_event_type"),
    ({"events": ["webhook.test"]}, "invalid_endpoint", "unknown_event_type"),
    ({"rate": "5/hour"}, "invalid_endpoint", "invalid_rate"),
    ({"rate": "0/second"}, "invalid_endpoint", "invalid_rate"),
    ({"description": "a\x00b"}, "invalid_endpoint", "invalid_description"),
    ({"headers": {"Host": "x"}}, "invalid_endpoint", "header_not_allowed"),
    ({"headers": {"webhook-id": "x"}}, "invalid_endpoint", "header_not_allowed"),
    ({"headers": {"X-A": "a\r\nX-B: b"}}, "invalid_endpoint", "invalid_header"),
    ({"headers": {f"X-{index}": "x" * 2000 for index in range(9)}}, "invalid_endpoint", "headers_too_large"),
    ({"headers": {f"X-{index}": "x" for index in range(11)}}, "invalid_endpoint", "too_many_headers"),
    ({"payload": "tiny"}, "validation_failed", "literal_error"),
    ({"secret": "whsec_AAAA"}, "validation_failed", "extra_forbidden"),
]


async def test_what_is_wrong_is_said_with_a_code_and_nothing_is_kept(hooks: Any, new_key: MakeKey) -> None:
    good = {"url": "http://127.0.0.1:8099/"}
    async with client_of(hooks, new_key()) as api:
        for more, code, inner in WRONG:
            answer = await api.post(PATH, json={**good, **more})
            problem(answer, 422, code, inner)
            assert "whsec_AAAA" not in answer.text
        assert (await api.get(PATH)).json()["endpoints"] == []
        made = (await api.post(PATH, json=good)).json()
        for more, code, inner in WRONG:
            problem(await api.patch(f"{PATH}/{made['id']}", json=more), 422, code, inner)
        shown = (await api.get(f"{PATH}/{made['id']}")).json()
        assert (shown["url"], shown["events"], shown["updated_at"]) == (good["url"], made["events"], made["updated_at"])
        for _ in range(2):
            assert (await api.post(PATH, json=good)).status_code == 201
        problem(await api.post(PATH, json=good), 409, "too_many_endpoints")


async def test_without_a_key_to_seal_with_no_headers_are_taken(make_app: MakeApp, new_key: MakeKey) -> None:
    async with client_of(make_app(), new_key()) as api:
        body = {"url": "http://127.0.0.1:8099/"}
        problem(await api.post(PATH, json={**body, "headers": OWN}), 501, "sealing_key_missing")
        assert (await api.post(PATH, json=body)).status_code == 201


async def test_urls_of_requests_are_listed_behind_what_is_registered(
    hooks: Any, new_key: MakeKey, owner: Engine
) -> None:
    client = f"client-{uuid.uuid4().hex}"
    called = {"endpoint_id": str(uuid.uuid4()), "client_id": client, "url": "https://a.example/", "origin": "o"}
    gone = {**called, "endpoint_id": str(uuid.uuid4()), "url": "https://b.example/", "registered": True}
    async with client_of(hooks, new_key(client)) as api:
        with owner.begin() as connection:
            for row in (called, gone):
                connection.execute(insert(delivery.endpoints).values(row))
        made = (await api.post(PATH, json={"url": "http://127.0.0.1:8099/"})).json()
        listed = (await api.get(PATH)).json()["endpoints"]
        assert [(one["id"], one["registered"]) for one in listed] == [
            (made["id"], True),
            (called["endpoint_id"], False),
        ]
        one = f"{PATH}/{called['endpoint_id']}"
        assert (await api.get(one)).json()["url"] == called["url"]
        problem(await api.patch(one, json={"rate": "1/second"}), 404, "endpoint_not_found")
        problem(await api.delete(one), 404, "endpoint_not_found")
        problem(await api.get(f"{PATH}/{gone['endpoint_id']}"), 404, "endpoint_not_found")


async def test_a_test_event_goes_to_an_endpoint_and_says_how_large_bodies_are(hooks: Any, tools: ApiTools) -> None:
    number = tools.process_number()
    tools.source.add(number, 30)
    async with receiving(always(200)) as receiver, client_of(hooks, tools.new_key()) as api:
        made = (await api.post(PATH, json={"url": receiver.url, "headers": OWN, "payload": "thin"})).json()
        first = (await api.post("/webhooks/test", json={"endpoint_id": made["id"]})).json()
        assert (first["succeeded"], first["real_body"]) == (True, None)
        await api.get(f"/processes/{number}")
        thin = (await api.post("/webhooks/test", json={"endpoint_id": made["id"]})).json()["real_body"]
        full = (await api.post("/webhooks/test", json={"url": receiver.url, "process_number": number})).json()
        answer = await api.post("/webhooks/test", json={"url": receiver.url, "process_number": tools.process_number()})
        problem(answer, 404, "process_unknown")
        for wrong in ({}, {"url": receiver.url, "endpoint_id": made["id"]}):
            problem(await api.post("/webhooks/test", json=wrong), 422, "invalid_endpoint", "url_or_endpoint_id")
        for unknown in (str(uuid.uuid4()), "x"):
            problem(await api.post("/webhooks/test", json={"endpoint_id": unknown}), 404, "endpoint_not_found")
    call = receiver.calls[0]
    call.verify(made["secret"])
    assert call.headers["authorization"] == OWN["Authorization"]
    assert first["body_bytes"] == len(call.body)
    real = full["real_body"]
    assert (real["payload"], real["process_number"], real["max_body_bytes"]) == ("full", number, 1024**2)
    assert (thin["payload"], thin["full_body_bytes"]) == ("thin", real["full_body_bytes"])
    assert thin["body_bytes"] < real["body_bytes"] == real["full_body_bytes"] and real["body_bytes"] > 30 * 500


async def test_a_test_event_says_how_large_a_body_is_for_an_endpoint_that_refused_a_larger_one(
    hooks: Any, tools: ApiTools
) -> None:
    number, client = tools.process_number(), f"client-{uuid.uuid4().hex}"
    tools.source.add(number, 30)
    table = delivery.endpoints
    async with receiving(always(200)) as receiver, client_of(hooks, tools.new_key(client)) as api:
        made = (await api.post(PATH, json={"url": receiver.url})).json()
        await api.get(f"/processes/{number}")

        async def real(**target: str) -> tuple[str, int]:
            body = (await api.post("/webhooks/test", json=target)).json()["real_body"]
            return body["payload"], body["body_bytes"]

        registered, by_url = {"endpoint_id": made["id"]}, {"url": f"{receiver.url}?token=1"}
        full = await real(**registered)
        assert full[0] == "full" and await real(**by_url) == full
        rows = [
            {"endpoint_id": made["id"], "url": receiver.url, "registered": True},
            {"endpoint_id": str(uuid.uuid4()), "url": receiver.url, "registered": False},
        ]
        now = datetime.now(UTC)
        with tools.owner.begin() as connection:
            refused = {"client_id": client, "origin": "o", "body_form": int(BodyForm.THIN), "body_form_at": now}
            connection.execute(insert(table), [{**row, **refused} for row in rows])
        for target in (registered, by_url):
            assert (await real(**target))[0] == "thin" and (await real(**target))[1] < full[1]
        # It is forgotten after thirty days.
        with tools.owner.begin() as connection:
            old = update(table).where(table.c.client_id == client)
            connection.execute(old.values(body_form_at=now - timedelta(days=31)))
        assert await real(**registered) == await real(**by_url) == full


async def test_a_first_request_for_a_case_that_has_ended_is_told_to_the_notifier_once(tools: ApiTools) -> None:
    number, app = tools.process_number(), tools.make_app()
    tools.source.add(number, 1)
    clients = [f"client-{uuid.uuid4().hex}" for _ in range(3)]
    first, hooked, plain = (client_of(app, tools.new_key(client)) for client in clients)
    async with first, hooked, plain:
        view = (await first.get(f"/processes/{number}")).json()
        tools.progress.finish(view)
        await hooked.post(PATH, json={"url": "http://127.0.0.1:8099/"})
        for one in (hooked, plain, hooked):
            assert (await one.get(f"/processes/{number}")).json()["job"]["job_id"] == view["job"]["job_id"]
    table = catalog.outbox
    with tools.owner.connect() as connection:
        query = select(table.c.payload).where(table.c.type == "autos.webhook.case_asked")
        told = [row for row in connection.execute(query).scalars() if number in row]
    assert len(told) == 1 and clients[1] in told[0]


async def test_a_thin_payload_is_asked_for_with_the_request(tools: ApiTools) -> None:
    number, batched = tools.process_number(), tools.process_number()
    for one in (number, batched):
        tools.source.add(one, 1)
    hook = "http://127.0.0.1:8099/x"
    async with client_of(tools.make_app(), tools.new_key()) as api:
        job = (await api.get(f"/processes/{number}", params={"webhook_url": hook})).json()["job"]["job_id"]
        for payload in ("thin", "thin", "full", "huge"):
            answer = await api.get(f"/processes/{number}", params={"webhook_url": hook, "webhook_payload": payload})
            assert answer.status_code == (422 if payload == "huge" else 200)
        body = {"process_numbers": [batched], "webhook_url": hook, "webhook_payload": "thin"}
        (entry,) = (await api.post("/processes/batch", json=body)).json()["entries"]
        body = {"webhook_url": f"{hook}/2", "webhook_payload": "thin"}
        await api.post(f"/processes/{number}/download-all-documents", json=body)
    table = catalog.outbox
    with tools.owner.connect() as connection:
        query = select(table.c.aggregateid, table.c.payload).where(table.c.type == "autos.webhook.subscribed")
        rows = connection.execute(query.where(table.c.aggregateid.in_([job, entry["job_id"]])).order_by(table.c.seq))
        told = [(row.aggregateid == job, '"thin"' in row.payload, '"full"' in row.payload) for row in rows]
    of_job = [found[1:] for found in told if found[0]]
    assert of_job == [(False, False), (True, False), (False, True), (True, False)]
    assert [found[1:] for found in told if not found[0]] == [(True, False)]
