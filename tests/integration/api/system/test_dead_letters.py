"""What was given up, over HTTP: listed from wherever it lies, and sent again once, by whichever replica."""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, text

from shared.events import topics
from shared.events.document_requested import DocumentDead
from shared.events.envelope import encode
from shared.kafka.producer import Producer
from shared.records import OutgoingRecord
from tests.integration.api.scripted import MakeApp, MakeKey, MakeNumber, client_of
from tests.integration.api.test_http import assert_problem
from tests.support import Servers

NOW = datetime(2026, 3, 2, tzinfo=UTC)
SCHEMAS = ("catalog", "progress", "delivery")


def dead_document(number: str) -> OutgoingRecord:
    event = DocumentDead(
        job_id=str(uuid.uuid4()),
        process_number=number,
        document_id=str(uuid.uuid4()),
        source_path="/somewhere",
        object_key="processes/1/documents/2",
        name="Petição secreta.pdf",
        attempt=4,
        error_code="document_not_found",
        error_message="the source does not have it",
    )
    return encode(event, topics.DOCUMENT_DEAD, event_id=str(uuid.uuid4()), source="/autos/downloader", time=NOW)


def produce(servers: Servers, *records: OutgoingRecord) -> None:
    producer = Producer(servers.bootstrap_servers)
    producer.send_blocking(records, 20.0)
    producer.close()


def set_aside(owner: Engine, schema: str, number: str) -> int:
    """An event of an outbox that the broker would not take."""
    with owner.begin() as connection:
        seq: int = connection.execute(
            text(
                f"INSERT INTO {schema}.outbox (id, aggregatetype, aggregateid, type, payload, headers, set_aside_at,"
                " reason) VALUES (gen_random_uuid(), 'process.completed', :number, 'autos.process.completed', '{}',"
                " '{}', now(), 'MSG_SIZE_TOO_LARGE') RETURNING seq"
            ),
            {"number": number},
        ).scalar_one()
    return seq


async def listed(api: httpx.AsyncClient, number: str, **parameters: Any) -> list[dict[str, Any]]:
    """The letters of a case, over all pages."""
    found: list[dict[str, Any]] = []
    cursor = None
    while True:
        answer = await api.get("/dead-letters", params={**parameters, **({"cursor": cursor} if cursor else {})})
        assert answer.status_code == 200, answer.text
        page = answer.json()
        found += [letter for letter in page["dead_letters"] if letter["process_number"] == number]
        cursor = page["next_cursor"]
        if cursor is None:
            return found


async def test_all_that_was_given_up_is_listed_and_sent_again_once(
    make_app: MakeApp, new_key: MakeKey, process_number: MakeNumber, servers: Servers, owner: Engine
) -> None:
    number = process_number()
    value = f'{{"process_number": "{number}", "document_id": "{uuid.uuid4()}"}}'.encode()
    poison = [OutgoingRecord(name, b"k", value, {"autos_error": b"wrong_schema"}) for name in topics.DEAD_TOPICS]
    await asyncio.to_thread(produce, servers, *(dead_document(number) for _ in range(4)), *poison)
    seqs = {schema: set_aside(owner, schema, number) for schema in SCHEMAS}
    key = new_key("operators", scopes=("admin",))
    async with client_of(make_app(), key) as api, client_of(make_app(), key) as replica:
        letters = await listed(api, number, limit=3)
        places = Counter(letter["topic"] for letter in letters)
        assert places == {
            "document.dead": 5,
            "process.dead": 1,
            "webhook.dead": 1,
            **{f"outbox/{one}": 1 for one in SCHEMAS},
        }
        assert len({letter["id"] for letter in letters}) == len(letters)
        assert "secreta" not in str(letters)
        alone = await listed(api, number, topic="document.dead")
        (dead, *_) = [letter for letter in alone if letter["replayable"]]
        assert (dead["error_code"], dead["replayed_at"], len(alone)) == ("document_not_found", None, 5)

        # Two replicas, and two clicks at each.
        again = f"/dead-letters/{dead['id']}/replay"
        answers = await asyncio.gather(*(one.post(again) for one in (api, replica, api, replica)))
        assert Counter(answer.status_code for answer in answers) == {202: 1, 200: 3}
        assert {answer.json()["outcome"] for answer in answers} == {"replayed", "already_replayed"}
        with owner.connect() as connection:
            asked = text("SELECT payload FROM catalog.outbox WHERE aggregatetype = 'document.requested'")
            payloads = [row for row in connection.execute(asked).scalars() if dead["document_id"] in row]
        assert len(payloads) == 1 and '"attempt":1' in payloads[0]
        (now,) = [one for one in await listed(api, number) if one["id"] == dead["id"]]
        assert now["replayed_at"] is not None and now["replayed_by"] == "operators"

        for schema, seq in seqs.items():
            place = f"/dead-letters/outbox/{schema}/{seq}/replay"
            assert [(await one.post(place)).status_code for one in (api, replica)] == [202, 200]
            with owner.connect() as connection:
                waits = text(f"SELECT set_aside_at IS NULL FROM {schema}.outbox WHERE seq = :seq")
                assert connection.execute(waits, {"seq": seq}).scalar_one()
    with owner.begin() as connection:
        for schema in SCHEMAS:
            connection.execute(text(f"DELETE FROM {schema}.outbox WHERE aggregateid = :of"), {"of": number})


async def test_what_nobody_can_read_is_refused_and_so_is_what_is_not_there(
    make_app: MakeApp, new_key: MakeKey, process_number: MakeNumber, servers: Servers
) -> None:
    number = process_number()
    value = f'{{"process_number": "{number}"}}'.encode()
    poison = OutgoingRecord(topics.PROCESS_DEAD, b"k", value, {"autos_error": b"wrong_schema"})
    await asyncio.to_thread(produce, servers, poison)
    async with client_of(make_app(), new_key(scopes=("admin",))) as api:
        (letter,) = await listed(api, number, topic="process.dead")
        assert not letter["replayable"]
        assert_problem(await api.post(f"/dead-letters/{letter['id']}/replay"), 409, "not_replayable")
        for wrong in ("document.dead/0/999999", "document.dead/77/0", "outbox/catalog/99999999", "nothing", "a/b/c"):
            assert_problem(await api.post(f"/dead-letters/{wrong}/replay"), 404, "dead_letter_not_found")
        assert_problem(await api.get("/dead-letters", params={"cursor": "x"}), 422, "invalid_cursor")
        assert_problem(await api.get("/dead-letters", params={"topic": "process.requested"}), 422, "validation_failed")


@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("POST", "/document.dead/0/0/replay")])
async def test_no_other_scope_reaches_dead_letters(make_app: MakeApp, new_key: MakeKey, method: str, path: str) -> None:
    async with client_of(make_app(), new_key(scopes=("read", "download", "webhooks", "sealed"))) as api:
        assert_problem(await api.request(method, f"/dead-letters{path}"), 403, "insufficient_scope")


async def test_while_the_broker_is_away_the_list_says_so(make_app: MakeApp, new_key: MakeKey) -> None:
    async with client_of(make_app(kafka_bootstrap_servers="127.0.0.1:9"), new_key(scopes=("admin",))) as api:
        assert (await api.get("/dead-letters", params={"topic": "outbox/catalog"})).status_code == 200
