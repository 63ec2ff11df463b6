"""Large cases: what a view shows of them, what it says of the rest, and the pages that have everything."""

from __future__ import annotations

import base64
import dataclasses
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import orjson
import pytest

from shared.domain.case import Case
from sources.errors import CaseTooLarge, CaseUnreadable, SourceError
from tests.integration.api.scripted import MakeApp, MakeKey, MakeNumber, Progress, ScriptedSource, client_of

START = datetime(2020, 1, 1, tzinfo=UTC)
FOUR_MB = 4_000_000


def movements(count: int, *, newest: int | None = None, text: str = "Movimento") -> list[dict[str, Any]]:
    """Newest first; each is named by its number from the oldest."""
    top = count if newest is None else newest
    return [
        {
            "at": (START + timedelta(minutes=number)).isoformat().replace("+00:00", "Z"),
            "code": str(number),
            "description": text,
        }
        for number in range(top - 1, top - 1 - count, -1)
    ]


def parties(count: int) -> list[dict[str, Any]]:
    return [
        {"name": f"Parte {index}", "role": "AUTOR", "pole": "ATIVO", "representatives": []} for index in range(count)
    ]


def put(source: ScriptedSource, case: Case, **more: Any) -> Case:
    source.cases[case.process_number] = dataclasses.replace(case, **more)
    return source.cases[case.process_number]


async def walk(api: httpx.AsyncClient, path: str, kind: str, **parameters: Any) -> list[Any]:
    """Every item, page by page."""
    found: list[Any] = []
    cursor: str | None = None
    while True:
        wanted = {**parameters, "cursor": cursor} if cursor is not None else parameters
        answer = await api.get(path, params=wanted)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        assert list(page) == [kind, "next_cursor", "total"]
        found += page[kind]
        cursor = page["next_cursor"]
        if cursor is None:
            return found
        assert page[kind]


@pytest.mark.parametrize("count", [0, 999, 1000, 1001, 1700])
async def test_a_view_shows_a_thousand_documents_and_the_pages_all(
    api: httpx.AsyncClient, source: ScriptedSource, process_number: MakeNumber, count: int
) -> None:
    number = process_number()
    many = [_document(number, index) for index in range(count)]
    put(source, source.add(number), documents=many)
    ids = [document.document_id for document in many]
    view = (await api.get(f"/processes/{number}")).json()
    assert [document["id"] for document in view["documents"]] == ids[:1000]
    assert view["documents_total"] == count and view["left_out"] == {}
    assert view["documents_url"] == f"/processes/{number}/documents"
    assert view["job"]["total_documents"] == count
    for path in (f"/processes/{number}/status", f"/jobs/{view['job']['job_id']}"):
        status = (await api.get(path)).json()
        assert [document["id"] for document in status["documents"]] == ids[:1000]
        assert (status["documents_total"], status["total_documents"]) == (count, count)
        bare = (await api.get(path, params={"documents": "false"})).json()
        assert bare["documents"] == [] and bare["documents_total"] == count
    listed = await walk(api, f"/processes/{number}/documents", "documents", limit=500)
    assert [document["id"] for document in listed] == ids
    assert listed[:1000] == view["documents"]


def _document(number: str, index: int, name: str = "Petição") -> Any:
    source = ScriptedSource()
    [document] = source.add(number, 1).documents  # type: ignore[arg-type]
    identity = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{number}/{index}"))
    return dataclasses.replace(document, document_id=identity, name=name, sequence=index)


async def test_documents_can_be_left_out_of_every_view(
    api: httpx.AsyncClient, source: ScriptedSource, process_number: MakeNumber
) -> None:
    number = process_number()
    first = source.add(number, 3).documents[0].document_id
    path = f"/processes/{number}"
    for ask in (
        api.get(path, params={"documents": "false"}),
        api.post(f"{path}/download-documents", params={"documents": "false"}),
        api.post(f"{path}/download-document/{first}", params={"documents": "false"}),
        api.post(f"{path}/download-all-documents", params={"documents": "false"}),
    ):
        view = (await ask).json()
        assert view["documents"] == [] and view["documents_total"] == 3
    tagged = await api.get(path)
    other = await api.get(path, params={"documents": "false"}, headers={"If-None-Match": tagged.headers["ETag"]})
    assert other.status_code == 200


@pytest.mark.parametrize(("count", "shown"), [(0, 0), (199, 199), (200, 200), (201, 200), (1234, 200)])
@pytest.mark.parametrize("left_out", [0, 1, 777])
async def test_the_newest_movements_are_shown_and_the_pages_have_all_that_are_kept(
    api: httpx.AsyncClient, source: ScriptedSource, process_number: MakeNumber, count: int, shown: int, left_out: int
) -> None:
    number = process_number()
    listed = movements(count, newest=count + left_out)
    put(source, source.add(number), movements=listed, left_out={"movements": left_out} if left_out else {})
    view = (await api.get(f"/processes/{number}")).json()
    assert view["movements"] == listed[:shown]
    assert view["movements_total"] == count + left_out
    assert view["left_out"] == ({"movements": left_out} if left_out else {})
    assert view["movements_url"] == f"/processes/{number}/movements"
    for limit in (500, 77):
        assert await walk(api, f"/processes/{number}/movements", "movements", limit=limit) == listed
    page = (await api.get(f"/processes/{number}/movements")).json()
    assert page["total"] == count + left_out


async def test_a_cursor_of_movements_stays_right_while_the_case_grows_and_shrinks(
    api: httpx.AsyncClient, source: ScriptedSource, process_number: MakeNumber
) -> None:
    number = process_number()
    put(source, source.add(number), movements=movements(150))
    path, again = f"/processes/{number}", {"auto_download": "false", "refresh": "true"}
    await api.get(path, params=again)
    first = (await api.get(f"{path}/movements", params={"limit": 100})).json()
    # From the case's own row to rows of their own, and newer ones come before the cursor.
    put(source, source.cases[number], movements=movements(460))
    await api.get(path, params=again)
    rest = await walk(api, f"{path}/movements", "movements", limit=30, cursor=first["next_cursor"])
    assert rest == movements(150)[100:]
    assert await walk(api, f"{path}/movements", "movements", limit=500) == movements(460)
    # The oldest are no longer kept.
    put(source, source.cases[number], movements=movements(310, newest=460), left_out={"movements": 150})
    await api.get(path, params=again)
    assert await walk(api, f"{path}/movements", "movements", limit=50) == movements(460)[:310]
    # And back on the case's own row.
    put(source, source.cases[number], movements=movements(20), left_out={})
    await api.get(path, params=again)
    assert await walk(api, f"{path}/movements", "movements", limit=3) == movements(20)


@pytest.mark.parametrize("count", [0, 499, 500, 501, 1203])
async def test_five_hundred_parties_are_shown_and_the_pages_have_all(
    api: httpx.AsyncClient, source: ScriptedSource, process_number: MakeNumber, count: int
) -> None:
    number = process_number()
    put(source, source.add(number), parties=parties(count))
    view = (await api.get(f"/processes/{number}")).json()
    assert view["parties"] == parties(count)[:500] and view["parties_total"] == count
    for limit in (333, 500):
        assert await walk(api, f"/processes/{number}/parties", "parties", limit=limit) == parties(count)


async def test_documents_beyond_what_is_kept_are_counted(
    api: httpx.AsyncClient, source: ScriptedSource, process_number: MakeNumber
) -> None:
    number = process_number()
    put(source, source.add(number, 3), left_out={"documents": 40_000, "parties": 7})
    view = (await api.get(f"/processes/{number}")).json()
    assert (view["documents_total"], view["parties_total"]) == (40_003, 8)
    assert view["left_out"] == {"documents": 40_000, "parties": 7}
    assert view["job"]["total_documents"] == 3


async def test_filters_of_documents(
    api: httpx.AsyncClient, source: ScriptedSource, progress: Progress, process_number: MakeNumber
) -> None:
    number = process_number()
    case = source.add(number, 9)
    kinds = ["Petição", "Sentença", "Despacho"]
    listed = [
        dataclasses.replace(
            document,
            type=kinds[index % 3],
            type_code=str(index % 3),
            degree=f"G{1 + index % 2}",
            court="TJSP",
            filed_at=START + timedelta(days=index) if index else None,
        )
        for index, document in enumerate(case.documents)
    ]
    put(source, case, documents=listed)
    view = (await api.get(f"/processes/{number}")).json()
    ids = [document.document_id for document in listed]
    assert [ids.index(document["id"]) for document in view["documents"]] == [*range(1, 9), 0], "the undated one is last"
    path = f"/processes/{number}/documents"

    async def found(**parameters: Any) -> list[int]:
        return sorted([ids.index(one["id"]) for one in await walk(api, path, "documents", limit=2, **parameters)])

    assert await found(status="processing") == list(range(9)) and await found(status="pending") == []
    progress.plan(view, 9)
    progress.available(view, *ids[:4])
    progress.failed(view, ids[4])
    for status, expected in (
        ("available", [0, 1, 2, 3]),
        ("failed", [4]),
        ("processing", [5, 6, 7, 8]),
        ("pending", []),
    ):
        assert await found(status=status) == expected
        page = (await api.get(path, params={"status": status, "limit": 1})).json()
        assert page["total"] == len(expected)
        assert all(one["status"] == status for one in page["documents"])
    assert await found(type="Sentença") == await found(type="1") == await found(type="sentença") == [1, 4, 7]
    assert await found(type="Sentença", status="available") == [1]
    assert await found(degree="g2") == [1, 3, 5, 7] and await found(court="TJSP", degree="G1", type="1") == [4]
    assert await found(court="STJ") == []
    assert await found(since="2020-01-08") == await found(since="2020-01-08T00:00:00Z") == [7, 8]
    assert await found(since="2020-01-07T21:00:01-03:00") == [8]
    assert await found(type="Nenhum") == []
    links = (await api.get(path, params={"status": "available"})).json()["documents"]
    assert all(one["download_url"].startswith("http") for one in links)
    files = (await api.get(f"/processes/{number}/files")).json()
    assert files["documents"] == links and files["documents_total"] == 4
    assert files["documents_url"] == f"{path}?status=available"


async def test_a_cursor_of_documents_stays_right_while_states_change(
    api: httpx.AsyncClient, source: ScriptedSource, progress: Progress, process_number: MakeNumber
) -> None:
    number = process_number()
    source.add(number, 10)
    view = (await api.get(f"/processes/{number}")).json()
    ids = [document["id"] for document in view["documents"]]
    path = f"/processes/{number}/documents"
    first = (await api.get(path, params={"limit": 4})).json()
    progress.plan(view, 10)
    progress.available(view, *ids[2:7])
    rest = await walk(api, path, "documents", limit=4, cursor=first["next_cursor"])
    assert [document["id"] for document in rest] == ids[4:]
    last = (await api.get(path, params={"limit": 10})).json()
    assert last["next_cursor"] is None and len(last["documents"]) == 10


@pytest.mark.parametrize("kind", ["documents", "movements", "parties"])
async def test_wrong_cursors_and_limits_are_refused(
    api: httpx.AsyncClient, source: ScriptedSource, process_number: MakeNumber, kind: str
) -> None:
    number = process_number()
    path = f"/processes/{number}/{kind}"
    unknown = await api.get(path)
    assert (unknown.status_code, unknown.json()["code"]) == (404, "process_unknown")
    put(source, source.add(number, 3), movements=movements(3), parties=parties(3))
    await api.get(f"/processes/{number}")
    page = (await api.get(path, params={"limit": 1})).json()
    good = page["next_cursor"]
    other = "movements" if kind != "movements" else "documents"
    foreign = (await api.get(f"/processes/{number}/{other}", params={"limit": 1})).json()["next_cursor"]

    def made(text: str) -> str:
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    wrong = [
        "",
        "x",
        "é",
        good[:-3],
        good + "AAAA",
        foreign,
        "A" * 300,
        made(f"{kind}|-1|"),
        made(f"{kind}|1"),
        made(f"{kind}|{2**31}|"),
    ]
    for cursor in [
        *wrong,
        made(f"{kind}|{'9' * 100}|"),
        made(f"{kind}|+1|"),
        made(f"{kind}|1_0|"),
        made(f"{kind}|1|x|y"),
    ]:
        answer = await api.get(path, params={"cursor": cursor})
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_cursor"), cursor
    for limit in ("0", "501", "-1", "x", "1e3", "99999999999999999999"):
        answer = await api.get(path, params={"limit": limit})
        assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed"), limit
    for limit in ("1", "500"):
        assert (await api.get(path, params={"limit": limit})).status_code == 200


async def test_no_answer_exceeds_four_megabytes_with_the_longest_texts(
    api: httpx.AsyncClient, source: ScriptedSource, progress: Progress, process_number: MakeNumber
) -> None:
    # A control character takes six bytes in JSON, more than any other.
    number, letter = process_number(), "\x01"
    listed = [_document(number, index, letter * 1000) for index in range(1001)]
    name = letter * 500
    party = {"name": name, "role": letter * 200, "pole": letter * 200}
    lawyer = {"name": name, "role": letter * 200}
    put(
        source,
        source.add(number),
        documents=[dataclasses.replace(one, type=letter * 200, secrecy_level=letter * 100) for one in listed],
        movements=movements(600, text=letter * 2000),
        parties=[{**party, "representatives": [lawyer] * 50} for _ in range(40)],
        subjects=[{"code": letter * 200, "description": name} for _ in range(200)],
        court=letter * 200,
    )
    path = f"/processes/{number}"
    first = await api.get(path)
    view = first.json()
    progress.plan(view, 1001)
    progress.available(view, *(document.document_id for document in listed))
    for where in (path, f"{path}/status", f"{path}/files", f"/jobs/{view['job']['job_id']}"):
        answer = await api.get(where)
        assert len(answer.content) < FOUR_MB
        shown = answer.json()
        assert 0 < len(shown["documents"]) <= 1000 and shown["documents_total"] == 1001
    assert len(first.content) < FOUR_MB
    assert len(view["movements"]) > 0 and len(view["parties"]) > 0
    for kind in ("documents", "movements", "parties"):
        answer = await api.get(f"{path}/{kind}", params={"limit": 500})
        assert len(answer.content) < FOUR_MB
    assert len(await walk(api, f"{path}/parties", "parties", limit=500)) == 40
    assert len(await walk(api, f"{path}/documents", "documents", limit=500)) == 1001


@pytest.mark.parametrize("letter", ["a", "é", "ç a "])
async def test_a_thousand_documents_with_names_of_520_letters_fit(
    api: httpx.AsyncClient, source: ScriptedSource, progress: Progress, process_number: MakeNumber, letter: str
) -> None:
    number = process_number()
    listed = [_document(number, index, (letter * 520)[:520].strip()) for index in range(1000)]
    put(source, source.add(number), documents=listed, movements=movements(300), parties=parties(600))
    view = (await api.get(f"/processes/{number}")).json()
    progress.plan(view, 1000)
    progress.available(view, *(document.document_id for document in listed))
    answer = await api.get(f"/processes/{number}")
    assert len(answer.content) < FOUR_MB
    shown = orjson.loads(answer.content)
    assert len(shown["documents"]) == 1000 and all(one["download_url"] for one in shown["documents"])
    assert (len(shown["movements"]), len(shown["parties"])) == (200, 500)


async def test_links_to_the_lists_are_whole_where_the_public_address_is_set(
    make_app: MakeApp, new_key: MakeKey, source: ScriptedSource, process_number: MakeNumber
) -> None:
    number = process_number()
    source.add(number)
    async with client_of(make_app(api_public_url="https://autos.example/v1/"), new_key()) as api:
        view = (await api.get(f"/processes/{number}")).json()
    base = f"https://autos.example/v1/processes/{number}"
    assert (view["documents_url"], view["movements_url"]) == (f"{base}/documents", f"{base}/movements")


@pytest.mark.parametrize("error", [CaseTooLarge(), CaseUnreadable()])
async def test_an_answer_that_cannot_be_used_is_the_jobs_error_or_at_once_a_problem(
    api: httpx.AsyncClient, source: ScriptedSource, process_number: MakeNumber, error: SourceError
) -> None:
    number = process_number()
    source.failing = error
    refused = await api.get(f"/processes/{number}", params={"auto_download": "false"})
    assert (refused.status_code, refused.json()["code"]) == (502, error.code)
    accepted = await api.get(f"/processes/{number}")
    assert accepted.status_code == 202 and accepted.json()["job"]["status"] == "pending"
