"""What ``autos doctor --source`` makes of each answer: a table of what courts, gateways and firewalls say."""

from __future__ import annotations

import pytest

from autos.source.diagnoses import (
    AnswerKind,
    ConnectionFailure,
    HttpAnswer,
    kind_of,
    of_answer,
    of_document_error,
    of_refusal,
    of_token_error,
)
from autos.source.diagnoses import of_connection_failure as diagnosis_of_failure
from sources.errors import CredentialsRefused, NoAccess, SourceThrottled, SourceUnavailable
from sources.pdpj.settings import Api, TokenGrant

CASE = b'[{"numeroProcesso":"1000145-91.2023.8.26.0597"}]'
SHELL = b'<!doctype html><html><body><app-root ng-version="17"></app-root></body></html>'
NO_STANDING = '{"message":"Usuário não possui acesso ao processo"}'.encode()


@pytest.mark.parametrize(
    ("status", "head", "kind"),
    [
        (200, CASE, AnswerKind.CASE),
        (200, b'{"content":[{"numeroProcesso":"1"}]}', AnswerKind.CASE),
        (200, CASE[:20], AnswerKind.CASE),
        (200, b"[]", AnswerKind.ABSENT),
        (200, b'{"content":[]}', AnswerKind.ABSENT),
        (200, b'{"content":null,"numberOfElements":0}', AnswerKind.ABSENT),
        (404, '{"code":404,"message":"Não foram encontrados registros"}'.encode(), AnswerKind.ABSENT),
        (404, b"404 page not found\n", AnswerKind.ROUTE),
        (404, b"<html>Not Found</html>", AnswerKind.ROUTE),
        (404, b'{"message":"no Route matched with those values"}', AnswerKind.ROUTE),
        (200, SHELL, AnswerKind.SHELL),
        (200, b"<html><form id='kc-form-login'></form>", AnswerKind.LOG_IN),
        (200, "<h1>Sistema em manutenção</h1>".encode(), AnswerKind.MAINTENANCE),
        (200, b"<html>Request Rejected. Your support ID is: 1", AnswerKind.FIREWALL),
        (200, b"<html>hello</html>", AnswerKind.PAGE),
        (200, b"", AnswerKind.PAGE),
        (200, b'{"error":"x"}', AnswerKind.ODD),
        (403, b"<html><h1>403 Forbidden</h1></html>", AnswerKind.FIREWALL),
        (403, b"", AnswerKind.FIREWALL),
        (403, b"<html>Error 1009: banned your country or region</html>", AnswerKind.ABROAD),
        (403, b'{"message":"Forbidden"}', AnswerKind.FORBIDDEN),
        (403, NO_STANDING, AnswerKind.NO_ACCESS),
        (401, NO_STANDING, AnswerKind.NO_ACCESS),
        (401, b"", AnswerKind.REFUSED),
        (301, b"", AnswerKind.MOVED),
        (429, b"", AnswerKind.THROTTLED),
        (451, b"", AnswerKind.ABROAD),
        (500, b'{"message":"x"}', AnswerKind.FAILED),
        (502, b"", AnswerKind.AWAY),
        (504, b"<html>", AnswerKind.AWAY),
        (418, b"", AnswerKind.ODD),
    ],
)
def test_an_answer_is_known_by_its_status_and_body(status: int, head: bytes, kind: AnswerKind) -> None:
    assert kind_of(HttpAnswer(status, head)) is kind


def test_a_redirect_to_the_log_in_is_told_from_another() -> None:
    assert kind_of(HttpAnswer(302, b"", moved_to_log_in=True)) is AnswerKind.LOG_IN


@pytest.mark.parametrize(
    ("answer", "given", "good", "words"),
    [
        (HttpAnswer(200, CASE), True, True, "with the case"),
        (HttpAnswer(200, b"[]"), False, True, "as it should be"),
        (HttpAnswer(200, b"[]"), True, False, "does not know this case"),
        (HttpAnswer(401, NO_STANDING), False, True, "takes the token"),
        (HttpAnswer(401, NO_STANDING), True, False, "no standing"),
        (HttpAnswer(401, b""), True, False, "the token is refused"),
        (HttpAnswer(200, SHELL), True, False, "wrong base URL"),
        (HttpAnswer(403, b"<html>"), True, False, "AUTOS_PDPJ_HEADERS"),
        (HttpAnswer(451, b""), True, False, "geo-blocking"),
        (HttpAnswer(429, b""), True, False, "throttled"),
        (HttpAnswer(404, b"404 page not found"), True, False, "wrong route"),
    ],
)
@pytest.mark.parametrize("api", list(Api))
@pytest.mark.parametrize("grant", list(TokenGrant))
def test_the_words_name_the_likely_cause(
    answer: HttpAnswer, given: bool, good: bool, words: str, api: Api, grant: TokenGrant
) -> None:
    diagnosis = of_answer(answer, api=api, grant=grant, given=given)
    assert diagnosis.good is good
    assert words in diagnosis.words


@pytest.mark.parametrize("kind", list(ConnectionFailure))
def test_every_trouble_of_the_network_has_words(kind: ConnectionFailure) -> None:
    assert diagnosis_of_failure(kind).good is False
    assert len(diagnosis_of_failure(kind).words) > 20


@pytest.mark.parametrize(
    ("reason", "grant", "words"),
    [
        ("invalid_grant", TokenGrant.REFRESH_TOKEN, "second factor"),
        ("invalid_grant", TokenGrant.CLIENT_CREDENTIALS, "lock the account"),
        ("invalid_client", TokenGrant.CLIENT_CREDENTIALS, "AUTOS_PDPJ_CLIENT_SECRET"),
        ("unauthorized_client", TokenGrant.REFRESH_TOKEN, "granted refresh_token"),
        ("unsupported_grant_type", TokenGrant.CLIENT_CREDENTIALS, "ask CNJ"),
    ],
)
def test_a_refused_log_in_says_what_to_do(reason: str, grant: TokenGrant, words: str) -> None:
    diagnosis = of_refusal(reason, grant)
    assert diagnosis.good is False
    assert words in diagnosis.words
    assert reason in diagnosis.words


def test_errors_of_the_product_have_words_too() -> None:
    assert "paused for 30 s" in of_token_error(CredentialsRefused(retry_after=30)).words
    assert "AUTOS_PDPJ_TOKEN_URL" in of_token_error(SourceUnavailable()).words
    assert "throttled" in of_token_error(SourceThrottled()).words
    assert "no standing" in of_document_error(NoAccess()).words
    assert "(source_unavailable)" in of_document_error(SourceUnavailable()).words
