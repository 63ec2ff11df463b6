"""What is sealed is seen by a client that asked with a key of the scope ``sealed``, and with such a key: at every door.

Two cases (a public one with one sealed document among three, and one that is sealed as a whole), two clients, both
kinds of key. Every route of the OpenAPI document is in the table below, or among those that show no case.
"""

from __future__ import annotations

import asyncio
import dataclasses
import io
import uuid
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from fastapi import FastAPI
from obstore.store import S3Store
from sqlalchemy import Engine, func, select, text, update

from services.api.access import keys as auth
from services.api.http.provided import parts_of
from services.api.processes.follow.changes import CaseChanges
from shared.db import catalog
from shared.db.visibility import PUBLIC_DOCUMENT
from shared.domain.cnj import ProcessNumber
from shared.domain.secrecy import is_public_document
from sources.errors import SourceUnavailable
from tests.integration.api.scripted import (
    ApiTools,
    MakeKey,
    MakeNumber,
    ScriptedSource,
    Stored,
    client_of,
    openapi_document,
)
from tests.integration.api.test_documents_and_jobs import add_delivery, put
from tests.integration.api.test_http import HOOK, assert_problem
from tests.support import wait_until_async

SECRET = "Laudo de MARIA-DA-SILVA"
PLAIN = ("read", "download", "webhooks")
ALL = (*PLAIN, "sealed")

DOORS: dict[tuple[str, str], str] = {
    ("get", "/processes/{numero}"): "process_not_found",
    ("get", "/processes/{numero}/status"): "process_unknown",
    ("get", "/processes/{numero}/events"): "process_unknown",
    ("get", "/processes/{numero}/files"): "process_unknown",
    ("get", "/processes/{numero}/documents.zip"): "process_unknown",
    ("get", "/processes/{numero}/manifest.json"): "process_unknown",
    ("get", "/processes/{numero}/documents"): "process_unknown",
    ("get", "/processes/{numero}/movements"): "process_unknown",
    ("get", "/processes/{numero}/parties"): "process_unknown",
    ("get", "/processes/{numero}/documents/{document_id}/content"): "process_unknown",
    ("get", "/processes/{numero}/documents/{document_id}/preview"): "process_unknown",
    ("post", "/processes/{numero}/download-documents"): "process_not_found",
    ("post", "/processes/{numero}/download-document/{document_id}"): "process_not_found",
    ("post", "/processes/{numero}/download-all-documents"): "process_not_found",
    ("get", "/jobs/{job_id}"): "job_not_found",
    ("post", "/jobs/{job_id}/cancel"): "job_not_found",
    ("get", "/webhooks/deliveries/{delivery_id}"): "delivery_not_found",
    ("post", "/webhooks/deliveries/{delivery_id}/redeliver"): "delivery_not_found",
}
"""What a client that does not see the case is answered, with status 404."""
ASKING = {door for door in DOORS if DOORS[door] == "process_not_found"}
"""Those by which a client asks for a case."""
LISTS = {("get", "/processes"), ("get", "/events"), ("get", "/webhooks/deliveries"), ("post", "/processes/batch")}
"""Those that show several cases: each has a test of its own, here or (the feed) in test_feed.py."""
OF_NO_CASE = {
    ("get", "/health/live"),
    ("get", "/health/ready"),
    ("get", "/metrics"),
    ("get", "/.well-known/webhook-keys.json"),
    ("get", "/webhooks/endpoints"),
    ("post", "/webhooks/endpoints"),
    ("get", "/webhooks/endpoints/{endpoint_id}"),
    ("patch", "/webhooks/endpoints/{endpoint_id}"),
    ("delete", "/webhooks/endpoints/{endpoint_id}"),
    ("post", "/webhooks/endpoints/{endpoint_id}/secret/rotate"),
    ("post", "/webhooks/endpoints/{endpoint_id}/enable"),
    ("get", "/webhooks/secret"),
    ("post", "/tokens/stream"),
    ("post", "/webhooks/secret/rotate"),
    ("post", "/webhooks/test"),
    ("get", "/source/status"),
    ("get", "/system"),
}
OF_OPERATORS = {
    ("get", "/access-log"),
    ("get", "/dead-letters"),
    ("post", "/dead-letters/{letter_id}/replay"),
    ("delete", "/processes/{numero}"),
    ("get", "/deletions"),
    ("get", "/deletions/{deletion_id}"),
}
"""Of all clients, for keys with the scope admin."""


def test_every_route_is_in_the_table() -> None:
    routes = {(verb, path) for path, item in openapi_document()["paths"].items() for verb in item}
    assert routes == set(DOORS) | LISTS | OF_NO_CASE | OF_OPERATORS


def seal(source: ScriptedSource, number: ProcessNumber, *, level: int | None = 0, word: str = "SIGILO_ABSOLUTO") -> str:
    """A case of three documents, the second of which is sealed and has the secret name; that document's id."""
    case = source.add(number, 3)
    documents = list(case.documents)
    documents[1] = dataclasses.replace(documents[1], name=SECRET, secrecy_level=word)
    source.cases[number] = dataclasses.replace(case, secrecy_level=level, documents=documents)
    return documents[1].document_id


@dataclass
class World:
    """A case that one client brought with a sealed key, and what of it other keys look for."""

    app: FastAPI
    number: ProcessNumber
    sealed_id: str
    view: dict[str, Any]
    keys: dict[str, str]
    deliveries: dict[str, str]

    def address(self, path: str, who: str) -> str:
        values = {
            "numero": quote(self.number),
            "document_id": self.sealed_id,
            "job_id": self.view["job"]["job_id"],
            "delivery_id": self.deliveries[who.partition(":")[0]],
        }
        return path.format(**values)

    async def call(self, who: str, door: tuple[str, str], **options: Any) -> httpx.Response:
        async with client_of(self.app, self.keys[who]) as api:
            return await api.request(door[0].upper(), self.address(door[1], who), **options)

    def traces(self, answer: httpx.Response) -> list[str]:
        """What of the sealed document an answer tells, besides the address that was asked for."""
        told = (answer.text + str(answer.headers)).replace(answer.request.url.path, "")
        return [one for one in (self.sealed_id, "MARIA", quote(SECRET)) if one in told]


MakeWorld = Callable[..., Any]


@pytest.fixture
def make_world(tools: ApiTools) -> MakeWorld:
    async def make(**secrecy: Any) -> World:
        number = tools.process_number()
        sealed_id = seal(tools.source, number, **secrecy)
        holder, other = f"holder-{uuid.uuid4().hex}", f"other-{uuid.uuid4().hex}"
        keys = {
            "holder": tools.new_key(holder, scopes=ALL),
            "holder:plain": tools.new_key(holder, scopes=PLAIN),
            "other": tools.new_key(other, scopes=PLAIN),
            "other:sealed": tools.new_key(other, scopes=ALL),
        }
        app = tools.make_app()
        async with client_of(app, keys["holder"]) as api:
            view = (await api.get(f"/processes/{number}")).json()
        await put(parts_of(app).get(S3Store), view, tools.progress)
        deliveries = {
            who: add_delivery(tools.owner, who_is, number, status="delivered")
            for who, who_is in (("holder", holder), ("other", other))
        }
        return World(app, number, sealed_id, view, keys, deliveries)

    return make


@pytest.mark.parametrize("level", [1, 5, None])
async def test_a_sealed_case_does_not_exist_for_a_key_without_the_scope(
    make_world: MakeWorld, source: ScriptedSource, stored: Stored, level: int | None
) -> None:
    world = await make_world(level=level)
    for who in ("other", "holder:plain"):
        for door, code in DOORS.items():
            answer = await world.call(who, door)
            assert_problem(answer, 404, code)
            # (A delivery of the other client is its own address.)
            assert not world.traces(answer), (who, door)
        async with client_of(world.app, world.keys[who]) as api:
            assert world.number not in (await api.get("/processes")).text
            assert (await api.get("/webhooks/deliveries")).json()["deliveries"] == []
            [entry] = (await api.post("/processes/batch", json={"process_numbers": [world.number]})).json()["entries"]
            assert (entry["outcome"], entry["job_id"]) == ("refused", None)
            assert entry["problem"]["code"] == "process_not_found"
    assert len(stored.jobs(world.number)) == 1
    # The client that asked with the scope sees all of it, with a key that has it.
    for door in DOORS:
        if door[0] == "get" and door not in ASKING:
            assert (await world.call("holder", door)).status_code in {200, 307}, door


async def test_an_absent_case_and_a_sealed_one_are_answered_alike(
    make_world: MakeWorld, source: ScriptedSource, process_number: MakeNumber
) -> None:
    world, absent = await make_world(level=2), process_number()
    fresh = process_number()
    seal(source, fresh, level=2)
    async with client_of(world.app, world.keys["other"]) as api:
        for verb, path in ASKING - {("post", "/processes/{numero}/download-document/{document_id}")}:
            told = []
            for number in (world.number, fresh, absent):
                answer = await api.request(verb, path.format(numero=number))
                # (Who comes within a second of a reading does not pay for one, here and there.)
                own = ("x-request-id", "ratelimit")
                headers = {name: value for name, value in answer.headers.items() if not name.startswith(own)}
                ids = {"request_id", "trace_id"}
                body = {name: value for name, value in answer.json().items() if name not in ids}
                told.append((answer.status_code, str((headers, body)).replace(number, "N")))
            assert told[0] == told[1] == told[2], (verb, path)

        async def read_anew() -> bool:
            # Once a second at most, as an absent one: what is stored would be answered sooner.
            answer = await api.get(f"/processes/{world.number}")
            return source.reads[world.number] > 1 and "ratelimit" in answer.headers

        await wait_until_async(read_anew)


async def test_a_client_that_never_asked_sees_nothing_whatever_its_key(make_world: MakeWorld) -> None:
    for level in (0, 3):
        world = await make_world(level=level)
        for who in ("other", "other:sealed"):
            for door, code in DOORS.items():
                if door in ASKING or "delivery" in door[1]:
                    continue
                assert_problem(await world.call(who, door), 404, code)


async def test_a_sealed_document_is_left_out_everywhere_and_never_counted(
    make_world: MakeWorld, new_key: MakeKey
) -> None:
    world: World = await make_world()
    case = f"/processes/{world.number}"
    for who in ("other", "holder:plain"):
        async with client_of(world.app, world.keys[who]) as api:
            for path in (case, f"{case}/status", f"/jobs/{world.view['job']['job_id']}"):
                answer = await api.get(path)
                shown = answer.json()
                job = shown.get("job", shown)
                counts = (job["total_documents"], job["completed_documents"], job["failed_documents"])
                assert counts == (2, 2, 0) and job["progress_percentage"] == 100.0, path
                assert job["status"] == "completed" and len(shown["documents"]) == 2
                assert not world.traces(answer), path
            files = await api.get(f"{case}/files")
            assert [one["position"] for one in files.json()["documents"]] == [1, 2] and not world.traces(files)
            page = await api.get(f"{case}/documents", params={"status": "available"})
            assert page.json()["total"] == len(page.json()["documents"]) == 2 and not world.traces(page)
            first = (await api.get(f"{case}/documents", params={"limit": 1})).json()
            rest = (await api.get(f"{case}/documents", params={"cursor": first["next_cursor"]})).json()
            assert first["total"] == rest["total"] == 2
            assert [one["position"] for one in rest["documents"]] == [2]
            for path in (case, f"{case}/status", f"/jobs/{world.view['job']['job_id']}"):
                assert (await api.get(path, params={"documents": False})).json()["documents_total"] == 2
            events = await api.get(f"{case}/events")
            assert events.text.count("event: document") == 2 and '"total_documents":2' in events.text
            assert not world.traces(events)
            [listed] = (await api.get("/processes")).json()["processes"]
            assert (listed["job"]["total_documents"], listed["job"]["completed_documents"]) == (2, 2)
            assert len((await api.get("/processes", params={"status": "completed"})).json()["processes"]) == 1
            assert (await api.get("/processes", params={"status": "partial"})).json()["processes"] == []
            archive = zipfile.ZipFile(io.BytesIO((await api.get(f"{case}/documents.zip")).content))
            assert len(archive.namelist()) == 3 and not any("MARIA" in name for name in archive.namelist())
            assert b"MARIA" not in archive.read("manifest.json")
            manifest = await api.get(f"{case}/manifest.json")
            assert [one["position"] for one in manifest.json()["documents"]] == [1, 2] and not world.traces(manifest)
            assert manifest.json()["documents_total"] == 2
            for address in (
                f"{case}/documents/{world.sealed_id}/content",
                f"{case}/download-document/{world.sealed_id}",
            ):
                verb = "GET" if address.endswith("content") else "POST"
                assert_problem(await api.request(verb, address), 404, "document_not_found")
    async with client_of(world.app, world.keys["holder"]) as api:
        assert (await api.get(f"{case}/status")).json()["total_documents"] == 3
        assert len((await api.get(f"{case}/files")).json()["documents"]) == 3
        assert len((await api.get(f"{case}/manifest.json")).json()["documents"]) == 3
        assert (await api.get(f"{case}/documents")).json()["total"] == 3
        assert (await api.get(f"{case}/events")).text.count("event: document") == 3
        [listed] = (await api.get("/processes")).json()["processes"]
        assert listed["job"]["total_documents"] == 3


async def test_a_job_is_told_by_the_documents_that_are_seen(tools: ApiTools) -> None:
    number, client = tools.process_number(), f"client-{uuid.uuid4().hex}"
    sealed_id = seal(tools.source, number)
    app = tools.make_app()
    async with (
        client_of(app, tools.new_key(client, scopes=PLAIN)) as plain,
        client_of(app, tools.new_key(scopes=ALL)) as full,
    ):
        view = (await plain.get(f"/processes/{number}")).json()
        assert view["job"]["total_documents"] == 2
        whole = (await full.get(f"/processes/{number}")).json()
        assert whole["job"]["job_id"] == view["job"]["job_id"] and whole["job"]["total_documents"] == 3
        tools.progress.plan(view, 3)
        tools.progress.available(view, view["documents"][0]["id"])
        status = (await plain.get(f"/processes/{number}/status")).json()
        assert (status["status"], status["completed_documents"], status["progress_percentage"]) == (
            "processing",
            1,
            50.0,
        )
        tools.progress.available(view, view["documents"][1]["id"])
        tools.progress.failed(view, sealed_id)
        for api, told, counts in ((plain, "completed", (2, 2, 0)), (full, "partial", (3, 2, 1))):
            status = (await api.get(f"/processes/{number}/status")).json()
            assert status["status"] == told
            shown = (status["total_documents"], status["completed_documents"], status["failed_documents"])
            assert shown == counts
            [listed] = (await api.get("/processes", params={"status": told})).json()["processes"]
            assert listed["job"]["status"] == told and listed["job"]["total_documents"] == counts[0]
        # A job for the sealed document alone is not shown, though it is the newest.
        alone = (await full.post(f"/processes/{number}/download-document/{sealed_id}")).json()["job"]["job_id"]
        assert alone != view["job"]["job_id"]
        assert_problem(await plain.get(f"/jobs/{alone}"), 404, "job_not_found")
        for path in (f"/processes/{number}/status", f"/processes/{number}?auto_download=false"):
            shown = (await plain.get(path)).json()
            assert shown.get("job", shown)["job_id"] == view["job"]["job_id"], path
        [listed] = (await plain.get("/processes")).json()["processes"]
        assert listed["job"]["job_id"] == view["job"]["job_id"]


async def test_links_of_what_is_sealed_are_short_and_have_no_name(make_world: MakeWorld) -> None:
    for level, sealed in ((0, 1), (4, 3)):
        world: World = await make_world(level=level)
        async with client_of(world.app, world.keys["holder"]) as api:
            case = f"/processes/{world.number}"
            links = {}
            for document in (await api.get(f"{case}/files")).json()["documents"]:
                redirect = await api.get(f"{case}/documents/{document['id']}/content")
                links[document["id"]] = (document["download_url"], redirect.headers["location"])
            short = {key: pair for key, pair in links.items() if all("X-Amz-Expires=300&" in url for url in pair)}
            assert len(short) == sealed and world.sealed_id in short
            for pair in short.values():
                assert not any(quote("Peti") in url or "MARIA" in url or "filename" in url for url in pair)
            async with httpx.AsyncClient() as anybody:
                fetched = await anybody.get(links[world.sealed_id][1])
            assert fetched.status_code == 200 and fetched.headers["content-disposition"] == "attachment"
            tag = (await api.get(f"{case}/status")).headers["etag"]
        async with client_of(world.app, world.keys["holder:plain"]) as api:
            assert (await api.get(f"{case}/status", headers={"If-None-Match": tag})).status_code != 304


async def test_both_times_the_scope_is_needed(make_world: MakeWorld) -> None:
    """Asked with a plain key, looked at with a sealed one: nothing; once it was asked with the scope: all of it."""
    world: World = await make_world()
    case = f"/processes/{world.number}"
    async with (
        client_of(world.app, world.keys["other"]) as plain,
        client_of(world.app, world.keys["other:sealed"]) as full,
    ):
        assert len((await plain.get(case)).json()["documents"]) == 2
        assert len((await full.get(f"{case}/files")).json()["documents"]) == 2
        assert (await full.get(f"{case}/status")).json()["total_documents"] == 2
        assert len((await full.get(case)).json()["documents"]) == 3
        assert len((await full.get(f"{case}/files")).json()["documents"]) == 3
        assert len((await plain.get(f"{case}/files")).json()["documents"]) == 2


async def test_a_case_that_becomes_sealed_is_gone_and_one_that_is_opened_is_there(
    make_world: MakeWorld, source: ScriptedSource
) -> None:
    world: World = await make_world()
    case = f"/processes/{world.number}"
    async with client_of(world.app, world.keys["other"]) as api:
        assert (await api.get(case)).status_code == 200
        opened = source.cases[world.number]
        source.cases[world.number] = dataclasses.replace(opened, secrecy_level=1)
        assert_problem(await api.get(case, params={"refresh": True}), 404, "process_not_found")
        assert_problem(await api.get(f"{case}/status"), 404, "process_unknown")
        assert (await api.get("/processes")).json()["processes"] == []
        source.failing = SourceUnavailable("away")
        assert_problem(await api.get(case), 404, "process_not_found")
        source.failing = None
        source.cases[world.number] = opened

        async def found() -> bool:
            # A reading serves those who ask within a second.
            return (await api.get(case)).status_code == 200

        await wait_until_async(found)
        assert len((await api.get(case)).json()["documents"]) == 2
        assert (await api.get(f"{case}/status")).status_code == 200


async def test_nothing_is_kept_of_a_sealed_case_that_nobody_asked_for_who_may_see_it(
    stored: Stored, tools: ApiTools
) -> None:
    number = tools.process_number()
    seal(tools.source, number, level=3)
    async with client_of(tools.make_app(), tools.new_key(scopes=PLAIN)) as api:
        assert_problem(await api.get(f"/processes/{number}", params={"webhook_url": HOOK}), 404, "process_not_found")
    assert stored.jobs(number) == [] and stored.events(number, "autos.webhook.subscribed") == []
    with tools.owner.connect() as connection:
        for table in (catalog.processes, catalog.documents, catalog.process_requests):
            counted = select(func.count()).select_from(table).where(table.c.process_number == number)
            assert connection.execute(counted).scalar_one() == 0


async def test_a_webhook_knows_with_which_key_it_was_asked_for(make_world: MakeWorld, stored: Stored) -> None:
    world: World = await make_world()
    for who in ("other", "other:sealed", "other:sealed", "other"):
        await world.call(who, ("get", "/processes/{numero}"), params={"webhook_url": HOOK})
    told = stored.events(world.number, "autos.webhook.subscribed")
    assert [one["sealed"] for one in told] == [False, True]
    assert len({one["subscription_id"] for one in told}) == 1


async def test_a_stream_ends_when_the_scope_is_taken_away_or_the_case_becomes_sealed(
    monkeypatch: pytest.MonkeyPatch, tools: ApiTools
) -> None:
    monkeypatch.setattr(auth, "CACHE_SECONDS", 0.0)
    number, client = tools.process_number(), f"client-{uuid.uuid4().hex}"
    seal(tools.source, number)
    app = tools.make_app()
    parts_of(app).get(CaseChanges).start()
    try:
        async with (
            client_of(app, tools.new_key(client, scopes=ALL)) as full,
            client_of(app, tools.new_key(scopes=PLAIN)) as plain,
        ):
            view = (await full.get(f"/processes/{number}")).json()
            await plain.get(f"/processes/{number}")
            tag = (await plain.get(f"/processes/{number}/status")).headers["etag"]
            address = f"/processes/{number}"
            streams = [asyncio.create_task(api.get(f"{address}/events")) for api in (full, plain)]
            polls = [
                asyncio.create_task(api.get(f"{address}/status", params={"wait": 30}, headers={"If-None-Match": tag}))
                for api in (plain,)
            ]
            changes = parts_of(app).get(CaseChanges)
            await wait_until_async(lambda: changes.waiting(number) == 3)
            with tools.owner.begin() as connection:
                keys = catalog.api_keys
                connection.execute(update(keys).where(keys.c.client_id == client).values(scopes=list(PLAIN)))
                cases = catalog.processes
                connection.execute(update(cases).where(cases.c.process_number == number).values(secrecy_level=1))
            await asyncio.to_thread(tools.progress.finish, view)
            async with asyncio.timeout(15):
                answers = await asyncio.gather(*streams)
                [polled] = await asyncio.gather(*polls)
            for answer in answers:
                assert "event: completed" not in answer.text and "available" not in answer.text
            assert_problem(polled, 404, "process_unknown")
    finally:
        await asyncio.to_thread(parts_of(app).get(CaseChanges).stop)


async def test_a_key_that_lost_the_scope_ends_its_stream_of_a_public_case(
    monkeypatch: pytest.MonkeyPatch, tools: ApiTools
) -> None:
    monkeypatch.setattr(auth, "CACHE_SECONDS", 0.0)
    number, client = tools.process_number(), f"client-{uuid.uuid4().hex}"
    sealed_id = seal(tools.source, number)
    app = tools.make_app()
    parts_of(app).get(CaseChanges).start()
    try:
        async with client_of(app, tools.new_key(client, scopes=ALL)) as api:
            view = (await api.get(f"/processes/{number}")).json()
            changes = parts_of(app).get(CaseChanges)
            streaming = asyncio.create_task(api.get(f"/processes/{number}/events"))
            # It has looked once with all its scopes: a stream that begins without them shows what is public.
            await wait_until_async(lambda: changes.waiting(number) == 1)
            with tools.owner.begin() as connection:
                keys = catalog.api_keys
                connection.execute(update(keys).where(keys.c.client_id == client).values(scopes=list(PLAIN)))
            await asyncio.to_thread(tools.progress.finish, view)
            async with asyncio.timeout(15):
                answer = await streaming
        assert "available" not in answer.text and sealed_id not in answer.text.partition("event: progress")[2]
    finally:
        await asyncio.to_thread(parts_of(app).get(CaseChanges).stop)


async def test_the_rule_in_sql_is_the_rule_in_python(owner: Engine) -> None:
    """The conditions, taken from their table to values of every kind."""
    words = [None, "PUBLICO", "0", "SIGILO_ABSOLUTO", "publico", "PUBLICO ", "", "00", "1", "PÚBLICO"]
    with owner.connect() as connection:
        compiled = str(PUBLIC_DOCUMENT.compile(connection))
        public = compiled.replace("catalog.documents.secrecy_level", "CAST(:word AS text)")
        index = connection.execute(text("SELECT pg_get_indexdef('catalog.ix_documents_sealed'::regclass)")).scalar_one()
        sealed = index.partition(" WHERE ")[2].replace("secrecy_level", "CAST(:word AS text)").replace("::text", "")
        for word in words:
            row = connection.execute(text(f"SELECT {public}, {sealed}"), {"word": word}).one()
            assert tuple(row) == (is_public_document(word), not is_public_document(word)), word
