"""A browser follows a case with a token in place of a key: short-lived, for streams alone, and in no log."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from sqlalchemy import Engine, text

from ops import clients
from services.api.access import stream_tokens
from tests.integration.api.scripted import ApiTools, Progress, ScriptedSource, client_of
from tests.integration.api.test_http import assert_problem
from tests.support import Servers, wait_until_async


async def ended_case(api: httpx.AsyncClient, source: ScriptedSource, progress: Progress, number: str) -> None:
    """A case whose stream ends by itself."""
    source.add(number, 2)  # type: ignore[arg-type]
    progress.finish((await api.get(f"/processes/{number}")).json())


async def events(api: httpx.AsyncClient, number: str, token: str) -> httpx.Response:
    """The events as a browser asks for them: without a header of ours."""
    request = api.build_request("GET", f"/processes/{number}/events", params={"token": token})
    del request.headers["authorization"]
    return await api.send(request)


async def test_a_token_opens_the_stream_of_its_case_and_nothing_else(
    api: httpx.AsyncClient, caplog: pytest.LogCaptureFixture, tools: ApiTools
) -> None:
    caplog.set_level(logging.DEBUG)
    number, other = tools.process_number(), tools.process_number()
    for one in (number, other):
        await ended_case(api, tools.source, tools.progress, one)
    made = await api.post("/tokens/stream", json={"process_number": number.digits})
    assert made.status_code == 201 and made.json()["process_number"] == number
    left = datetime.fromisoformat(made.json()["expires_at"]) - datetime.now(UTC)
    assert timedelta(minutes=4) < left <= stream_tokens.LIFETIME
    token = made.json()["token"]
    answer = await events(api, number, token)
    assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/event-stream")
    assert answer.text.count("event: document") == 2 and "event: completed" in answer.text
    assert (await events(api, number.digits, token)).status_code == 200
    assert_problem(await events(api, other, token), 403, "insufficient_scope")
    assert_problem(await api.get(f"/processes/{number}/status", params={"token": token}), 422, "unknown_parameter")
    del api.headers["authorization"]
    assert_problem(await api.get(f"/processes/{number}/status", params={"token": token}), 401, "unauthorized")
    as_key = await api.get(f"/processes/{number}/status", headers={"Authorization": f"Bearer {token}"})
    assert_problem(as_key, 401, "unauthorized")
    with tools.owner.begin() as connection:
        rows = str(connection.execute(text("SELECT * FROM catalog.stream_tokens")).all())
    # The client of this test logs its own requests.
    ours = [record for record in caplog.records if record.name not in {"httpx", "httpcore.http11"}]
    assert token not in rows and token not in "".join(record.getMessage() + str(record.__dict__) for record in ours)
    assert token not in answer.text and token not in str(answer.headers)


async def test_a_token_without_a_case_is_for_every_case_of_its_client(api: httpx.AsyncClient, tools: ApiTools) -> None:
    number = tools.process_number()
    await ended_case(api, tools.source, tools.progress, number)
    token = (await api.post("/tokens/stream")).json()["token"]
    # Any replica knows it.
    async with client_of(tools.make_app(), tools.new_key()) as replica:
        assert (await events(replica, number, token)).status_code == 200
        stranger = (await replica.post("/tokens/stream", json={})).json()["token"]
    assert_problem(await events(api, number, stranger), 404, "process_unknown")
    assert_problem(await api.post("/tokens/stream", json={"process_number": "1"}), 422, "invalid_process_number")


async def test_a_token_ends_with_its_time_and_with_its_key(servers: Servers, tools: ApiTools) -> None:
    number, key = tools.process_number(), tools.new_key()
    async with client_of(tools.make_app(), key) as api:
        await ended_case(api, tools.source, tools.progress, number)
        short, token = [(await api.post("/tokens/stream")).json()["token"] for _ in range(2)]
        for made_up in ("", "autos_st_made_up", "x" * 5_000):
            assert_problem(await events(api, number, made_up), 401, "unauthorized")
        with tools.owner.begin() as connection:
            connection.execute(
                text("UPDATE catalog.stream_tokens SET expires_at = now() WHERE token_hash = sha256(:token)"),
                {"token": short.encode()},
            )
        assert_problem(await events(api, number, short), 401, "unauthorized")
        assert (await events(api, number, token)).status_code == 200
        [known] = [one for one in clients.list_keys(servers.owner_url) if key.startswith(one.prefix)]
        assert clients.revoke_key(servers.owner_url, known.key_id)

        async def refused() -> bool:
            return (await events(api, number, token)).status_code == 401

        await wait_until_async(refused)


async def test_a_key_has_so_many_tokens_at_once(
    api: httpx.AsyncClient, owner: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_tokens, "MOST_LIVE", 2)
    for _ in range(2):
        assert (await api.post("/tokens/stream")).status_code == 201
    refused = await api.post("/tokens/stream")
    assert_problem(refused, 429, "too_many_tokens")
    assert int(refused.headers["retry-after"]) > 0
    with owner.begin() as connection:
        connection.execute(text("UPDATE catalog.stream_tokens SET expires_at = now()"))
    # What has expired makes room, and is cleared.
    assert (await api.post("/tokens/stream")).status_code == 201
    with owner.begin() as connection:
        assert connection.execute(text("SELECT count(*) FROM catalog.stream_tokens")).scalar_one() == 1
