"""The signed manifest of a case and of its archive, from a request to the check without a network."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path

import httpx
from obstore.store import S3Store

from autos.verification.check import check
from autos.verification.signature import Trust, Verdict, read_key_set
from services.api.http.provided import parts_of
from shared.events.document_events import DocumentAvailable
from shared.storage.store import object_key
from tests.integration.api.scripted import ApiTools, client_of
from tests.integration.api.test_http import assert_problem
from tests.signed import KEY, KEY_ID, OTHER_KEY

AT = datetime(2026, 3, 2, 14, 30, 15, 123456, tzinfo=UTC)
BODY = b"%PDF-1.7 a petition"


async def trust_of(api: httpx.AsyncClient) -> Trust:
    """The published keys, as somebody saved them."""
    return Trust(read_key_set((await api.get("/.well-known/webhook-keys.json")).content), given=True)


async def test_a_manifest_tells_every_document_and_is_verified_by_the_published_key(
    tools: ApiTools, tmp_path: Path
) -> None:
    number = tools.process_number()
    tools.source.add(number, 3)
    app = tools.make_app(webhook_signing_keys=f"{KEY},{OTHER_KEY}")
    path = f"/processes/{number}/manifest.json"
    async with client_of(app, tools.new_key()) as api:
        assert_problem(await api.get(path), 404, "process_unknown")
        view = (await api.get(f"/processes/{number}")).json()
        first, second, third = (document["id"] for document in view["documents"])
        before = await api.get(path)
        assert {document["status"] for document in before.json()["documents"]} == {"pending"}
        key = object_key(number, first)
        await parts_of(app).get(S3Store).put_async(key, BODY)
        tools.progress.plan(view, 3)
        tools.progress.tell(
            DocumentAvailable(
                job_id=view["job"]["job_id"],
                process_number=number,
                document_id=first,
                object_key=key,
                sha256=hashlib.sha256(BODY).hexdigest(),
                size=len(BODY),
                content_type="application/pdf",
                fetched_at=AT,
                source_headers=["date: Mon, 02 Mar 2026 14:30:15 GMT", 'etag: "7"'],
                object_version="v1",
            )
        )
        tools.progress.failed(view, second, code="no_access")
        answer = await api.get(path)
        assert answer.headers["etag"] != before.headers["etag"]
        manifest = answer.json()
        told = {document["id"]: document for document in manifest["documents"]}
        assert list(told) == [first, second, third] and manifest["documents_total"] == 3
        assert (told[first]["sha256"], told[first]["size"]) == (hashlib.sha256(BODY).hexdigest(), len(BODY))
        assert (told[first]["fetched_at"], told[first]["object_version"]) == ("2026-03-02T14:30:15.123456Z", "v1")
        assert told[first]["source_headers"] == {"date": "Mon, 02 Mar 2026 14:30:15 GMT", "etag": '"7"'}
        assert (told[second]["status"], told[second]["error_code"]) == ("failed", "no_access")
        assert told[third]["sha256"] is None and told[third]["status"] == "pending"
        assert manifest["job"]["job_id"] == view["job"]["job_id"] and manifest["key_id"] == KEY_ID
        assert view["links"]["manifest"] == path

        unchanged = await api.get(path, headers={"If-None-Match": answer.headers["etag"]})
        assert unchanged.status_code == 304 and unchanged.content == b""
        head = await api.head(path)
        assert (head.status_code, head.content) == (200, b"") and int(head.headers["content-length"]) > 1000
        none = await api.get(path, params={"types": "Nothing", "since": "2020-01-01"})
        assert none.json()["documents"] == [] and none.json()["filter"]["types"] == ["nothing"]
        assert none.headers["etag"] != answer.headers["etag"]

        trust = await trust_of(api)
        (tmp_path / "manifest.json").write_bytes(answer.content)
        assert check(tmp_path / "manifest.json", trust).signature.verdict is Verdict.TRUSTED
        assert not check(tmp_path, trust).good
        (tmp_path / "petition.pdf").write_bytes(BODY)
        assert check(tmp_path, trust).good

        archive = tmp_path / "case.zip"
        archive.write_bytes((await api.get(f"/processes/{number}/documents.zip")).content)
        checked = check(archive, trust)
        assert checked.good and checked.findings is not None and checked.findings.good == 1
        assert [document.id for document in checked.manifest.not_included] == [second, third]


async def test_a_manifest_of_a_time_before_a_rotation_is_verified_by_the_retired_key(
    tools: ApiTools, tmp_path: Path
) -> None:
    number, key = tools.process_number(), tools.new_key()
    tools.source.add(number, 1)
    path = tmp_path / "manifest.json"
    async with client_of(tools.make_app(webhook_signing_keys=KEY), key) as api:
        await api.get(f"/processes/{number}")
        path.write_bytes((await api.get(f"/processes/{number}/manifest.json")).content)
        [public] = (await api.get("/.well-known/webhook-keys.json")).json()["keys"]
    async with client_of(tools.make_app(webhook_signing_keys=OTHER_KEY), key) as api:
        assert check(path, await trust_of(api)).signature.verdict is Verdict.UNKNOWN_KEY
    rotated = tools.make_app(webhook_signing_keys=OTHER_KEY, webhook_retired_keys=f"whpk_{public['x']}")
    async with client_of(rotated, key) as api:
        assert check(path, await trust_of(api)).good
        assert (await api.get(f"/processes/{number}/manifest.json")).json()["key_id"] != KEY_ID
    async with client_of(tools.make_app(), key) as api:
        unsigned = (await api.get(f"/processes/{number}/manifest.json")).json()
        assert (unsigned["key_id"], unsigned["signature"]) == (None, None)
        assert (await api.get("/.well-known/webhook-keys.json")).json() == {"keys": []}
    path.write_text(json.dumps(unsigned))
    assert check(path, Trust()).signature.verdict is Verdict.UNSIGNED
