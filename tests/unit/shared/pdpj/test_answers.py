"""The table of answers as a function (docs/architecture.md, section 9)."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.pdpj.answers import Wanted, misplaced, refusal, retry_after, says_no_access
from shared.pdpj.errors import SourceError, Verdict

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
        (404, JSON, "{}", "document_not_found", Verdict.PERMANENT),
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
    error = refusal(status, headers, body.encode(), Wanted.DOCUMENT)
    assert (error.code, error.verdict) == (code, verdict)


def test_not_found_of_a_case() -> None:
    assert refusal(404, {}, b"", Wanted.CASE).code == "process_not_found"


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
        (JSON, b"[]", Wanted.DOCUMENT, "document_not_found"),
        (JSON, b'{"content": []}', Wanted.DOCUMENT, "document_not_found"),
        (JSON, b'{"message": "x"}', Wanted.DOCUMENT, "unexpected_answer"),
        (JSON, b"{", Wanted.DOCUMENT, "unexpected_answer"),
        ({"content-type": "application/problem+json"}, b"{}", Wanted.DOCUMENT, "unexpected_answer"),
        (HTML, b"<html>", Wanted.DOCUMENT, None),
        ({}, b"[]", Wanted.DOCUMENT, None),
        (HTML, b"<html><app-root>", Wanted.CASE, "unexpected_answer"),
        ({}, b"  <html>", Wanted.CASE, "unexpected_answer"),
        (JSON, b"[]", Wanted.CASE, None),
    ],
)
def test_a_200_that_is_something_else(headers: dict[str, str], body: bytes, wanted: Wanted, code: str | None) -> None:
    error = misplaced(headers, body, wanted)
    assert (error.code if error else None) == code


@given(st.integers(200, 599), st.dictionaries(st.sampled_from(["retry-after", "date", "content-type"]), st.text()),
       st.binary(), st.sampled_from(Wanted))  # fmt: skip
def test_any_answer_has_one_meaning(status: int, headers: dict[str, str], body: bytes, wanted: Wanted) -> None:
    error = refusal(status, headers, body, wanted)
    assert isinstance(error, SourceError)
    assert error.retry_after is None or 0 <= error.retry_after <= 3600
    misplaced(headers, body, wanted)
