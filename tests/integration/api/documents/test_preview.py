"""A link to look at a document with: short, nameless, for what browsers show."""

from __future__ import annotations

import httpx
from obstore.store import S3Store

from services.api.http.provided import parts_of
from shared.storage.store import object_key
from tests.integration.api.scripted import MakeApp, MakeKey, MakeNumber, Progress, ScriptedSource, client_of
from tests.integration.api.test_documents_and_jobs import BODY, put
from tests.integration.api.test_http import assert_problem


async def test_a_document_is_looked_at_by_a_link_of_its_own(
    make_app: MakeApp, new_key: MakeKey, source: ScriptedSource, progress: Progress, process_number: MakeNumber
) -> None:
    number = process_number()
    source.add(number, 2)
    app = make_app()
    async with client_of(app, new_key()) as api, httpx.AsyncClient(trust_env=False) as plain:
        view = (await api.get(f"/processes/{number}")).json()
        path = f"/processes/{number}/documents/{view['documents'][0]['id']}/preview"
        assert_problem(await api.get(path), 404, "document_not_available")
        store = parts_of(app).get(S3Store)
        first, second = await put(store, view, progress)
        preview = (await api.get(path)).json()
        assert preview["content_type"] == "application/pdf" and "X-Amz-Expires=300" in preview["url"]
        shown = await plain.get(preview["url"])
        assert shown.content == BODY and shown.headers["content-disposition"] == "inline"
        assert shown.headers["content-type"] == "application/pdf"

        await store.delete_async(object_key(number, second))
        gone = await api.get(path.replace(first, second))
        assert_problem(gone, 404, "document_gone")
    async with client_of(app, new_key()) as other:
        assert_problem(await other.get(path), 404, "process_unknown")
