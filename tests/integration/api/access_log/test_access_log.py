"""Each answer with something of a case is a row, committed before it leaves; without the row there is no answer."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import psycopg2
import pytest
from obstore.store import S3Store
from sqlalchemy import Engine, select, update

from ops.clients import create_key
from services.api.http.provided import parts_of
from shared.db.audit import access_log
from shared.db.catalog import documents, processes
from shared.secrets.keys import SecretKeys
from shared.storage.store import object_key
from tests.integration.api.scripted import ApiTools, client_of
from tests.integration.api.test_contract import conforms
from tests.integration.api.test_documents_and_jobs import put
from tests.integration.db.fresh import FreshDatabase, fresh_database
from tests.support import Servers

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
HEADERS = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01", "X-Forwarded-For": "198.51.100.9", "X-Request-ID": "mine"}


def rows(owner: Engine, number: str) -> list[Any]:
    """What is recorded of a case, the oldest first."""
    with owner.connect() as connection:
        statement = select(access_log).where(access_log.c.process_number == number).order_by(access_log.c.entry_id)
        return list(connection.execute(statement))


def shown(row: Any) -> tuple[Any, ...]:
    return row.route, row.status, row.documents, row.links, row.document_id


async def test_every_way_to_read_a_case_is_a_row(tools: ApiTools) -> None:
    number = tools.process_number()
    tools.source.add(number, 3)
    app = tools.make_app(api_trusted_proxies="127.0.0.0/8")
    client_id = f"reader-{uuid.uuid4().hex[:8]}"
    async with client_of(app, tools.new_key(client_id)) as api:
        view = (await api.get(f"/processes/{number}", headers=HEADERS)).json()
        first, *_ = await put(parts_of(app).get(S3Store), view, tools.progress)
        case, job, document = f"/processes/{number}", view["job"]["job_id"], f"/processes/{number}/documents/{first}"
        for path in (
            *(f"{case}/status", f"{case}/files", f"{case}/documents", f"{case}/movements", f"{case}/parties"),
            *(f"{document}/content", f"{document}/content?proxy=true", f"{document}/preview", f"{case}/documents.zip"),
            *(f"{case}/manifest.json", f"/jobs/{job}", "/processes", "/events", "/webhooks/deliveries"),
        ):
            assert (await api.get(path)).status_code in (200, 307), path
        assert (await api.head(f"{case}/status")).status_code == 200
        # Nothing of a case: secrets, refusals, addresses that there are not.
        await api.get("/webhooks/secret")
        assert (await api.get(f"/processes/{tools.process_number()}/status")).status_code == 404
        assert (await api.get(f"{case}/documents/{uuid.uuid4()}/content")).status_code == 404
    found = rows(tools.owner, number)
    template = "/processes/{numero}"
    one = f"{template}/documents/{{document_id}}"
    assert [shown(row) for row in found] == [
        (f"GET {template}", 200, 3, 0, None),
        (f"GET {template}/status", 200, 3, 3, None),
        (f"GET {template}/files", 200, 3, 3, None),
        (f"GET {template}/documents", 200, 3, 3, None),
        (f"GET {template}/movements", 200, 0, 0, None),
        (f"GET {template}/parties", 200, 0, 0, None),
        (f"GET {one}/content", 307, 1, 1, first),
        (f"GET {one}/content", 200, 1, 0, first),
        (f"GET {one}/preview", 200, 1, 1, first),
        (f"GET {template}/documents.zip", 200, 3, 0, None),
        (f"GET {template}/manifest.json", 200, None, None, None),
        ("GET /jobs/{job_id}", 200, 3, 3, None),
        ("GET /processes", 200, 0, 0, None),
        (f"GET {template}/status", 200, 3, 3, None),
    ]
    start = found[0]
    assert (start.client_id, start.sealed, start.address) == (client_id, False, "198.51.100.9")
    assert (start.request_id, start.trace_id) == ("mine", TRACE)
    assert {row.client_id for row in found} == {client_id} and len({row.key_id for row in found}) == 1
    assert object_key(number, first) not in str(found)


async def test_what_is_sealed_is_marked_for_who_sees_it(tools: ApiTools) -> None:
    numbers = [tools.process_number() for _ in range(3)]
    for number in numbers:
        tools.source.add(number, 2)
    of_case, of_document, public = numbers
    async with client_of(tools.make_app(), tools.new_key()) as api:
        view = (await api.get(f"/processes/{of_document}")).json()
        sealed, other = (document["id"] for document in view["documents"])
        for number in (of_case, public):
            await api.get(f"/processes/{number}")
        with tools.owner.begin() as connection:
            connection.execute(update(processes).where(processes.c.process_number == of_case).values(secrecy_level=3))
            connection.execute(
                update(documents).where(documents.c.document_id == sealed).values(secrecy_level="SIGILO")
            )
        tools.progress.finish(view)
        await put(parts_of(tools.make_app()).get(S3Store), view, tools.progress)
        for path in (
            *(f"/processes/{number}/status" for number in numbers),
            *(f"/processes/{of_document}/documents/{each}/preview" for each in (sealed, other)),
        ):
            assert (await api.get(path)).status_code == 200, path
    assert [row.sealed for row in rows(tools.owner, of_case)] == [False, True]
    assert [row.sealed for row in rows(tools.owner, public)] == [False, False]
    assert [row.sealed for row in rows(tools.owner, of_document)] == [False, True, True, False]


async def test_operators_page_through_it_by_case_and_by_client(tools: ApiTools) -> None:
    numbers = [tools.process_number() for _ in range(2)]
    names = [f"reader-{uuid.uuid4().hex[:8]}" for _ in range(2)]
    app = tools.make_app()
    for number in numbers:
        tools.source.add(number, 1)
    for name in names:
        async with client_of(app, tools.new_key(name, scopes=("read", "download"))) as api:
            for number in numbers:
                assert (await api.get(f"/processes/{number}")).status_code == 200
            assert (await api.get("/access-log")).status_code == 403
    document = app.openapi()
    async with client_of(app, tools.new_key()) as admin:
        seen: list[dict[str, Any]] = []
        cursor: str | None = None
        while True:
            parameters = {"client": names[0], "limit": "1", **({"cursor": cursor} if cursor else {})}
            answer = await admin.get("/access-log", params=parameters)
            conforms(document, answer, "/access-log")
            seen += answer.json()["entries"]
            cursor = answer.json()["next_cursor"]
            if cursor is None:
                break
        assert [entry["process_number"] for entry in seen] == numbers[::-1]
        digits = "".join(filter(str.isdecimal, numbers[0]))
        by_case = (await admin.get("/access-log", params={"numero": digits})).json()["entries"]
        # Whoever reads the log of a case reads of it.
        assert [(entry["client_id"], entry["route"]) for entry in by_case if entry["client_id"] in names] == [
            (name, "GET /processes/{numero}") for name in reversed(names)
        ]
        assert by_case[0]["route"] == "GET /access-log"
        for since, count in (("2999-01-01", 0), ("0001-01-01", 2)):
            answer = await admin.get("/access-log", params={"client": names[1], "since": since})
            assert len(answer.json()["entries"]) == count, since
        for wrong in ({"cursor": "x"}, {"numero": "1"}, {"limit": "501"}):
            assert (await admin.get("/access-log", params=wrong)).status_code == 422


@pytest.fixture
def database(servers: Servers) -> Iterator[FreshDatabase]:
    with fresh_database(servers) as fresh:
        yield fresh


async def test_what_cannot_be_recorded_is_not_given(tools: ApiTools, database: FreshDatabase) -> None:
    number = tools.process_number()
    tools.source.add(number, 2)
    _, key = create_key(database.owner_url, "reader", name="test", secrets=SecretKeys())
    app = tools.make_app(database_url=database.role_urls["api"])
    async with client_of(app, key) as api:
        assert (await api.get(f"/processes/{number}")).status_code == 200
        connection = psycopg2.connect(database.owner_url)
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("REVOKE INSERT ON audit.access_log FROM autos_api")
        paths = ("", "/status", "/documents", "/events", "/documents.zip")
        for path in paths:
            answer = await api.get(f"/processes/{number}{path}")
            assert (answer.status_code, answer.json()["code"]) == (503, "service_unavailable"), path
            assert answer.headers["retry-after"] == "2" and "Peti" not in answer.text
        # What has nothing of a case goes on.
        assert (await api.get("/webhooks/secret")).status_code == 200
        with connection.cursor() as cursor:
            cursor.execute("GRANT INSERT ON audit.access_log TO autos_api")
        connection.close()
        assert (await api.get(f"/processes/{number}/status")).status_code == 200
