"""Any text anywhere in a request is a client's error or nothing, never a fault of ours."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
from contextlib import suppress
from typing import Any, cast
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.api.http.middleware import BrokenAnswer
from shared.telemetry import json_formatter
from tests.integration.api.scripted import MakeApp, MakeKey, MakeNumber, ScriptedSource, client_of
from tests.integration.api.test_http import assert_problem
from tests.integration.api.wire import GET, serving

JSON = {"Content-Type": "application/json"}
# Text as it is typed, bytes as they come, and cursors of moments at the ends of the calendar.
_BYTES = st.one_of(
    st.binary(max_size=60),
    st.text(max_size=40).map(lambda text: text.encode(errors="surrogatepass")),
    st.sampled_from(
        [
            base64.urlsafe_b64encode(f"{moment}|{identity}".encode()).rstrip(b"=")
            for moment in (
                "0001-01-01T00:00:00+23:59",
                "9999-12-31T23:59:59-23:59",
                "0001-01-01T00:00:00Z",
                "9999-12-31T23:59:59.999999Z",
                "2024-02-30T00:00:00Z",
                "2024-01-01T00:00:00+23:59:59.999999",
            )
            for identity in ("1", "0b9c4f3e-58b5-5d0c-9a4e-8e1f0c6c1d55", "\ufffd", "\x00")
        ]
    ),
    st.sampled_from([b"%", b"\x00", b"[", b"//", b"9" * 3000, b"*", b'W/"', b":" * 50, b"a:1:" + b"9" * 90]),
)
_HEADER = _BYTES.map(lambda value: bytes(byte for byte in value if byte >= 32 and byte != 127))


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(values=st.lists(_BYTES, min_size=8, max_size=8), headers=st.lists(_HEADER, min_size=6, max_size=6))
async def test_any_text_in_address_and_headers_is_answered_below_500(
    known_case: tuple[httpx.AsyncClient, str], values: list[bytes], headers: list[bytes]
) -> None:
    api, number = known_case
    one, two, three, *more = (quote(value, safe="") for value in values)
    tried = [
        ("GET", f"/processes?cursor={one}&limit={two}&status={three}", {}),
        ("GET", f"/webhooks/deliveries?cursor={one}&process_number={two}", {}),
        ("GET", f"/deletions?cursor={one}", {}),
        ("GET", f"/access-log?cursor={one}&numero={two}&since={three}", {}),
        ("GET", f"/processes/{one}", {}),
        ("GET", f"/{two}?{three}={one}&{three}", {}),
        ("GET", f"/processes/{number}/status?{one}={two}", {}),
        ("GET", f"/processes/{number}/status?wait={three}", {}),
        ("GET", f"/processes/{number}/status", {"If-None-Match": headers[0]}),
        ("GET", f"/processes/{number}/documents/{more[0]}/content", {"Range": headers[1], "If-Range": headers[2]}),
        ("POST", f"/processes/{number}/download-document/{more[1]}", {"traceparent": headers[3]}),
        ("GET", f"/jobs/{more[2]}", {"X-Request-ID": headers[4], "Accept-Encoding": headers[4]}),
        ("POST", f"/webhooks/deliveries/{more[3]}/redeliver", {"Content-Type": headers[5]}),
        ("GET", "/webhooks/secret", {"Host": headers[5], "Accept": headers[0], "Cookie": headers[1]}),
    ]
    for verb, address, given_headers in tried:
        answer = await api.request(verb, address, headers=cast(Any, list(given_headers.items())))
        assert answer.status_code < 500, (verb, address, given_headers)
    # A stream goes on for ever; that it begins is enough.
    with suppress(TimeoutError):
        async with asyncio.timeout(0.05):
            answer = await api.get(f"/processes/{number}/events", headers=cast(Any, [("Last-Event-ID", headers[0])]))
            assert answer.status_code < 500


@pytest.fixture
async def known_case(
    api: httpx.AsyncClient, source: ScriptedSource, process_number: MakeNumber
) -> tuple[httpx.AsyncClient, str]:
    number = process_number()
    source.add(number, 1)
    assert (await api.get(f"/processes/{number}")).status_code == 200
    return api, str(number)


_HALF = ["\ud800", "\udfff", "a\udc80b", "1000145-91.2023.8.26.059\ud800", "\udc00\ud800"]


@pytest.mark.parametrize("half", _HALF)
async def test_half_a_surrogate_pair_in_any_field_of_a_body_is_a_problem(
    api: httpx.AsyncClient, process_number: MakeNumber, half: str
) -> None:
    number = process_number()
    everything: list[tuple[str, Any]] = [
        ("/processes/batch", {"process_numbers": [half, number]}),
        ("/processes/batch", {"process_numbers": [number], "webhook_url": half}),
        ("/processes/batch", {"process_numbers": [number], half: half}),
        ("/processes/batch", {"process_numbers": {half: half}}),
        ("/processes/batch", {"process_numbers": [{half: 1}, [half]]}),
        ("/processes/batch", half),
        (f"/processes/{number}/download-all-documents", {"webhook_url": half}),
        (f"/processes/{number}/download-all-documents", {"webhook_url": f"https://example.com/{half}"}),
        (f"/processes/{number}/download-all-documents", {half: 1}),
        ("/webhooks/test", {"url": half}),
        ("/webhooks/test", {"url": f"https://{half}.example.com/"}),
        ("/webhooks/test", {half: "https://example.com/"}),
    ]
    for path, body in everything:
        answer = await api.post(path, content=json.dumps(body), headers=JSON)
        if answer.status_code == 202:
            assert [entry["outcome"] for entry in answer.json()["entries"]] == ["refused", "accepted"]
        else:
            assert answer.status_code == 422, (path, body, answer.text)


@pytest.mark.parametrize(
    "body",
    [
        b'{"process_numbers": [%b]}' % (b"9" * 60_000),
        b'{"process_numbers": [-1e400, 1E-400, 0.%b]}' % (b"9" * 50_000),
        b'{"process_numbers": %b}' % (b"[" * 30_000 + b"]" * 30_000),
        b'{"a":' * 10_000,
        b'{"process_numbers": [%b1]}' % (b"1," * 30_000),
        b"{%b}" % b",".join(b'"k%d":1' % index for index in range(6000)),
        b'{"process_numbers": ["%b"]}' % (b"\\u0000" * 9_000),
    ],
)
async def test_a_body_made_to_cost_much_is_a_small_problem(api: httpx.AsyncClient, body: bytes) -> None:
    assert len(body) <= 65536
    answer = await api.post("/processes/batch", content=body, headers=JSON)
    if answer.status_code != 202:
        assert_problem(answer, 422, "validation_failed")
    assert len(answer.content) < 20_000


async def test_a_query_made_to_cost_much_is_a_small_problem(make_app: MakeApp, new_key: MakeKey) -> None:
    async with client_of(make_app(), new_key()) as api:
        assert_problem(
            await api.get("/health/live?" + "&".join(f"a{i}" for i in range(51))), 400, "too_many_parameters"
        )
        assert_problem(await api.get("/health/live?" + "a" * 9000), 414, "uri_too_long")
        many = await api.get("/health/live?" + "&".join(f"a{'b' * 100}{i}" for i in range(50)))
        assert_problem(many, 422, "unknown_parameter")
        assert many.json()["errors_total"] == 50 and len(many.content) < 8000
        assert_problem(await api.get("/health/live", headers={"a": "b" * 20_000}), 431, "request_head_too_large")
        refused = await api.post("/processes/batch", content=b"{}", headers={**JSON, "Content-Length": "9" * 19})
        assert_problem(refused, 413, "body_too_large")


async def test_the_log_of_an_answer_that_breaks_off_has_no_text_of_what_broke_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    # Not in the source lines that a traceback shows.
    texts = ["".join(map(chr, codes)) for codes in ([80, 97, 114, 116, 101], [67, 80, 70], [83, 101, 103])]

    async def breaking(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"begun", "more_body": True})
        try:
            raise ValueError(texts[0])
        except ValueError as inner:
            raise ExceptionGroup(texts[1], [inner, KeyError(texts[2])]) from inner

    with caplog.at_level(logging.DEBUG):
        async with serving(application=breaking) as api:
            reader, writer = await api.open()
            writer.write(GET + b"\r\n")
            async with asyncio.timeout(60):
                everything = await reader.read()
            writer.close()
    assert everything.startswith(b"HTTP/1.1 200") and not everything.endswith(b"0\r\n\r\n")
    formatter = json_formatter("api")
    logged = "\n".join(formatter.format(record) for record in caplog.records)
    assert "ExceptionGroup" in logged and BrokenAnswer.__name__ in logged
    assert not any(text in logged for text in texts)
