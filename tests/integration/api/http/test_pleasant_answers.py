"""What makes answers easy to take: compression, forgiven slashes, languages, told bodies, filters, a page, CORS."""

from __future__ import annotations

import io
import re
import zipfile

import httpx
import pytest
from obstore.store import S3Store

from services.api.http.provided import parts_of
from tests.integration.api.scripted import MakeApp, MakeKey, MakeNumber, Progress, ScriptedSource, client_of
from tests.integration.api.test_documents_and_jobs import put

ORIGIN = "https://app.example.com"


@pytest.mark.usefixtures("whole_minute")
async def test_a_view_of_many_documents_is_compressed_and_its_tag_still_works(
    api: httpx.AsyncClient, source: ScriptedSource, process_number: MakeNumber
) -> None:
    number = process_number()
    source.add(number, 300)
    plain = await api.get(f"/processes/{number}", headers={"Accept-Encoding": "identity"})
    packed = await api.get(f"/processes/{number}/", headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in plain.headers and packed.headers["content-encoding"] == "gzip"
    assert int(packed.headers["content-length"]) < int(plain.headers["content-length"]) / 4
    assert len(packed.json()["documents"]) == 300
    head = await api.head(f"/processes/{number}", headers={"Accept-Encoding": "gzip"})
    assert head.headers["content-encoding"] == "gzip" and head.content == b""
    again = {"Accept-Encoding": "gzip", "If-None-Match": packed.headers["etag"]}
    unchanged = await api.get(f"/processes/{number}", headers=again)
    assert unchanged.status_code == 304 and "Accept-Encoding" in unchanged.headers["vary"]


async def test_files_are_never_compressed(
    make_app: MakeApp, new_key: MakeKey, source: ScriptedSource, progress: Progress, process_number: MakeNumber
) -> None:
    number = process_number()
    source.add(number, 2)
    app = make_app()
    async with client_of(app, new_key()) as api:
        view = (await api.get(f"/processes/{number}")).json()
        await put(parts_of(app).get(S3Store), view, progress)
        content = f"/processes/{number}/documents/{view['documents'][0]['id']}/content?proxy=true"
        for path in (content, f"/processes/{number}/documents.zip", f"/processes/{number}/documents.zip/"):
            answer = await api.get(path, headers={"Accept-Encoding": "gzip"})
            assert answer.status_code == 200 and "content-encoding" not in answer.headers, path

        async def names(**query: str | list[str]) -> list[str]:
            archive = await api.get(f"/processes/{number}/documents.zip", params=query)
            return zipfile.ZipFile(io.BytesIO(archive.content)).namelist()[1:]

        assert await names(types="PETIÇÃO,Sentença") == ["001 Petição nº 0.pdf", "002 Petição nº 1.pdf"]
        assert await names(types=["x", "57"], since="2024-05-02T15:30:01Z") == ["002 Petição nº 1.pdf"]
        assert await names(types="Sentença") == [] == await names(since="2024-05-03")
        refused = await api.get(f"/processes/{number}/documents.zip", params={"since": "soon"})
        assert refused.json()["errors"][0]["field"] == "query.since"


@pytest.mark.parametrize("path", ["/processes/batch", "/processes/batch/", "/webhooks/test"])
async def test_every_route_with_a_body_says_what_is_wrong_with_it(api: httpx.AsyncClient, path: str) -> None:
    json_type = {"Content-Type": "application/json"}
    for content, headers, status, words in (
        (b"", json_type, 422, "the body is empty"),
        (b'{"process_numbers": ["1"', json_type, 422, "line 1, column 25"),
        (b'{"process_numbers": []}', {"Content-Type": "application/x-www-form-urlencoded"}, 415, "application/json"),
        (b"\xff{}", json_type, 422, "UTF-8"),
    ):
        answer = await api.post(path, content=content, headers=headers)
        assert answer.status_code == status and words in answer.json()["detail"], answer.text


async def test_titles_are_portuguese_for_who_prefers_it(api: httpx.AsyncClient, process_number: MakeNumber) -> None:
    portuguese = {"Accept-Language": "pt-BR,pt;q=0.9,en;q=0.8"}
    for path, code, title in (
        (f"/processes/{process_number()}/status", "process_unknown", "Este processo nunca foi pedido"),
        ("/nothing", "not_found", "Não encontrado"),
        ("/processes?limit=0", "validation_failed", "A requisição não é válida"),
        ("/processes?" + "&".join("a=1" for _ in range(60)), "too_many_parameters", "Parâmetros demais na consulta"),
    ):
        answer = await api.get(path, headers=portuguese)
        assert (answer.json()["code"], answer.json()["title"]) == (code, title)
        assert answer.headers["content-language"] == "pt-BR" and "Accept-Language" in answer.headers["vary"]
        plain = await api.get(path)
        assert plain.json()["code"] == code and plain.headers["content-language"] == "en"
    batch = await api.post("/processes/batch", json={"process_numbers": ["1"]}, headers=portuguese)
    assert batch.json()["entries"][0]["problem"]["title"] == "Não é um número CNJ válido"


async def test_the_start_is_a_page_for_people(api: httpx.AsyncClient) -> None:
    del api.headers["authorization"]
    page = await api.get("/")
    assert page.status_code == 200 and page.headers["content-type"].startswith("text/html")
    assert 'href="docs"' in page.text and page.headers["cache-control"] == "no-cache"
    policy = page.headers["content-security-policy"]
    assert "script-src 'self';" in policy and "style-src 'self';" in policy and "unsafe" not in policy
    again = await api.get("/", headers={"If-None-Match": page.headers["etag"]})
    # What a 304 says takes the place of what the browser has kept.
    assert again.status_code == 304 and again.headers["content-security-policy"] == policy
    assert (await api.head("/")).status_code == (await api.get("/docs/")).status_code == 200
    assert (await api.post("/")).status_code == 405


async def test_the_files_of_the_page_are_kept_for_ever_by_their_version(api: httpx.AsyncClient) -> None:
    del api.headers["authorization"]
    (script,) = re.findall(r'<script type="module" src="([^"]+)"', (await api.get("/")).text)
    found = await api.get(f"/{script}", headers={"Accept-Encoding": "gzip"})
    assert found.headers["content-type"] == "text/javascript; charset=utf-8"
    assert found.headers["cache-control"] == "public, max-age=31536000, immutable"
    styled = await api.get(f"/{script.replace('main.js', 'style.css')}")
    assert styled.headers["content-encoding"] == "gzip" and styled.headers["content-type"].startswith("text/css")
    other = await api.get("/page/of-another-version/main.js")
    assert other.text == found.text and other.headers["cache-control"] == "no-cache"
    for wrong in ("index.html", "vendor/README.md", "%2e%2e/routes.py", "nothing.js"):
        missing = await api.get(f"/page/1/{wrong}")
        assert missing.status_code == 404 and missing.json()["code"] == "not_found"


async def test_a_program_that_asks_for_json_is_told_where_the_api_is_described(api: httpx.AsyncClient) -> None:
    answer = await api.get("/", headers={"Accept": "application/json"})
    assert answer.json()["openapi"] == "openapi.json" and "Accept" in answer.headers["vary"]


async def test_a_page_of_an_allowed_origin_reads_answers_and_problems(make_app: MakeApp, new_key: MakeKey) -> None:
    async with client_of(make_app(api_cors_origins=ORIGIN), new_key()) as api:
        api.headers["Origin"] = ORIGIN
        for path, status in (("/processes", 200), ("/nothing", 404), ("/processes?" + "&" * 60, 400)):
            answer = await api.get(path)
            assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (status, ORIGIN)
            assert "Origin" in answer.headers["vary"]
            exposed = {name.strip() for name in answer.headers["access-control-expose-headers"].split(",")}
            assert exposed >= {"ETag", "Location", "Retry-After", "RateLimit", "RateLimit-Policy"}
            assert exposed >= {"Content-Disposition", "Link", "X-Request-ID"}
        asked = {
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,content-type",
        }
        preflight = await api.options("/processes/batch", headers=asked)
        assert preflight.status_code == 200 and "POST" in preflight.headers["access-control-allow-methods"]
        assert "Authorization" in preflight.headers["access-control-allow-headers"]
        elsewhere = await api.get("/processes", headers={"Origin": "https://evil.example"})
        assert "access-control-allow-origin" not in elsewhere.headers
