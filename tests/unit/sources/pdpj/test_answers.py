"""The table of answers as a function (docs/reference/pdpj.md, "What each answer means")."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources.errors import SourceError, Verdict
from sources.pdpj.answers import AskedFor, misplaced, refusal, retry_after, says_no_access

HTML = {"content-type": "text/html; charset=utf-8"}
JSON = {"content-type": "application/json"}


@pytest.mark.parametrize(
    ("status", "headers", "body", "code", "verdict"),
    [
        (401, JSON, '{"m":"Usuário não possui acesso"}', "no_access", Verdict.PERMANENT),
        (403, HTML, "<p>N&atilde;o  possui\n acesso</p>", "no_access", Verdict.PERMANENT),
        (401, JSON, '{"m":"Token expirado"}', "token_rejected", Verdict.RETRY),
        (403, HTML, "<html>Request Rejected", "source_unavailable", Verdict.SOURCE_AWAY),
        (403, {}, "", "source_unavailable", Verdict.SOURCE_AWAY),
        (403, JSON, '{"m":"Forbidden"}', "unexpected_answer", Verdict.RETRY),
        (404, JSON, '{"code":404,"message":"documento inexistente"}', "document_not_found", Verdict.PERMANENT),
        (404, JSON, "[]", "document_not_found", Verdict.PERMANENT),
        (404, JSON, "{}", "source_route", Verdict.RETRY),
        (404, HTML, "<html>404 Not Found", "source_route", Verdict.RETRY),
        (404, {}, "404 page not found", "source_route", Verdict.RETRY),
        (202, {"retry-after": "3"}, "", "not_ready", Verdict.RETRY),
        (429, JSON, "{}", "source_throttled", Verdict.SOURCE_AWAY),
        (500, JSON, "{}", "source_error", Verdict.RETRY),
        (501, JSON, "{}", "source_error", Verdict.RETRY),
        (502, HTML, "", "source_unavailable", Verdict.SOURCE_AWAY),
        (503, HTML, "", "source_unavailable", Verdict.SOURCE_AWAY),
        (504, HTML, "", "source_unavailable", Verdict.SOURCE_AWAY),
        (522, HTML, "", "source_unavailable", Verdict.SOURCE_AWAY),
        (408, HTML, "", "source_unavailable", Verdict.SOURCE_AWAY),
        (302, HTML, "", "unexpected_answer", Verdict.RETRY),
        (204, {}, "", "empty_body", Verdict.RETRY),
        (206, {}, "x", "unexpected_answer", Verdict.RETRY),
        (418, {}, "x", "unexpected_answer", Verdict.RETRY),
    ],
)
def test_refusal(status: int, headers: dict[str, str], body: str, code: str, verdict: Verdict) -> None:
    error = refusal(status, headers, body.encode(), AskedFor.DOCUMENT)
    assert (error.code, error.verdict) == (code, verdict)


@pytest.mark.parametrize(
    ("body", "own"),
    [
        ('{"code":404,"message":"Não foram encontrados registros"}', True),
        ('{"status":404,"error":"Not Found","message":"Processo não encontrado","path":"/x"}', True),
        ('{"codigo":"404","mensagem":"não encontrado"}', True),
        ("", False),
        ("404 page not found", False),
        ("<html><h1>404 Not Found</h1><hr>nginx", False),
        ("default backend - 404", False),
        ('{"message":"no Route matched with those values"}', False),
        ('{"code":404,"message":"404 Route Not Found"}', False),
        ('{"message":"Not Found"}', False),
        ("null", False),
    ],
)
def test_a_404_means_absent_only_in_the_platforms_own_words(body: str, own: bool) -> None:
    assert refusal(404, {}, body.encode(), AskedFor.CASE).code == ("process_not_found" if own else "source_route")


@pytest.mark.parametrize(
    "body",
    [
        "não possui acesso".encode(),
        "NÃO POSSUI ACESSO".encode("latin-1"),
        "na\u0303o possui acesso".encode(),
        json.dumps({"erros": [{"mensagem": "Você não possui acesso ao processo"}]}).encode(),
        b"n&#227;o possui&nbsp;acesso",
        b"nao possui acesso",
    ],
)
def test_no_access_in_any_writing(body: bytes) -> None:
    assert says_no_access(body)


@pytest.mark.parametrize("body", [b"", b"acesso", b"possui acesso", b"\xff\xfe\x00", b"[" * 5000])
def test_other_bodies_do_not_say_so(body: bytes) -> None:
    assert not says_no_access(body)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": " 1.5 "}, 1.5),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "99999999999"}, 3600.0),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "9" * 5000}, None),
        ({}, None),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:30 GMT", "date": "Wed, 21 Oct 2026 07:28:00 GMT"}, 30.0),
        ({"retry-after": "Wed, 21 Oct 2026 07:27:00 GMT", "date": "Wed, 21 Oct 2026 07:28:00 GMT"}, 0.0),
        ({"retry-after": "Wed, 21 Oct 2099 07:27:00 GMT", "date": "Wed, 21 Oct 2026 07:28:00 GMT"}, 3600.0),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:30 GMT"}, None),
    ],
)
def test_retry_after(headers: dict[str, str], expected: float | None) -> None:
    assert retry_after(headers) == expected


@pytest.mark.parametrize(
    ("headers", "body", "wanted", "code"),
    [
        (JSON, b"[]", AskedFor.DOCUMENT, "document_not_found"),
        (JSON, b'{"content": []}', AskedFor.DOCUMENT, "document_not_found"),
        (JSON, b'{"content": null, "numberOfElements": 0}', AskedFor.DOCUMENT, "document_not_found"),
        (JSON, b"{}", AskedFor.DOCUMENT, "unexpected_answer"),
        (JSON, b'{"message": "x"}', AskedFor.DOCUMENT, "unexpected_answer"),
        (JSON, b"{", AskedFor.DOCUMENT, "unexpected_answer"),
        ({"content-type": "application/problem+json"}, b"{}", AskedFor.DOCUMENT, "unexpected_answer"),
        (HTML, b"<html>", AskedFor.DOCUMENT, None),
        ({}, b"[]", AskedFor.DOCUMENT, "document_not_found"),
        ({}, b'{"code":404,"message":"x"}', AskedFor.DOCUMENT, "document_not_found"),
        ({"content-type": "application/pdf"}, b' {"error": "x"}', AskedFor.DOCUMENT, "unexpected_answer"),
        ({"content-type": "application/pdf"}, '{"m": "não possui acesso"}'.encode(), AskedFor.DOCUMENT, "no_access"),
        ({"content-type": "application/rtf"}, b"{\\rtf1\\ansi", AskedFor.DOCUMENT, None),
        (JSON, b"%PDF-1.7", AskedFor.DOCUMENT, None),
        (HTML, b"<html><app-root>", AskedFor.CASE, "source_unavailable"),
        ({}, b"  <html>", AskedFor.CASE, "source_unavailable"),
        (JSON, "Sistema em manutenção".encode(), AskedFor.CASE, "source_unavailable"),
        (JSON, b"[" * 20, AskedFor.CASE, None),
        (JSON, b"[]", AskedFor.CASE, None),
    ],
)
def test_a_200_that_is_something_else(headers: dict[str, str], body: bytes, wanted: AskedFor, code: str | None) -> None:
    error = misplaced(headers, body, wanted)
    assert (error.code if error else None) == code


@given(st.integers(200, 599), st.dictionaries(st.sampled_from(["retry-after", "date", "content-type"]), st.text()),
       st.binary(), st.sampled_from(AskedFor))  # fmt: skip
def test_any_answer_has_one_meaning(status: int, headers: dict[str, str], body: bytes, wanted: AskedFor) -> None:
    error = refusal(status, headers, body, wanted)
    assert isinstance(error, SourceError)
    assert error.retry_after is None or 0 <= error.retry_after <= 3600
    misplaced(headers, body, wanted)
