"""What ``autos doctor --source`` makes of each answer: a table of what courts, gateways and firewalls say."""

from __future__ import annotations

import pytest

from autos.source.diagnoses import (
    Answer,
    Kind,
    Trouble,
    kind_of,
    of_answer,
    of_document_error,
    of_refusal,
    of_token_error,
)
from autos.source.diagnoses import of_trouble as verdict_of_trouble
from sources.errors import CredentialsRefused, NoAccess, SourceThrottled, SourceUnavailable
from sources.pdpj.settings import Api, TokenGrant

CASE = b'[{"numeroProcesso":"1000145-91.2023.8.26.0597"}]'
SHELL = b'<!doctype html><html><body><app-root ng-version="17"></app-root></body></html>'
NO_STANDING = '{"message":"Usuário não possui acesso ao processo"}'.encode()


@pytest.mark.parametrize(
    ("status", "head", "kind"),
    [
        (200, CASE, Kind.CASE),
        (200, b'{"content":[{"numeroProcesso":"1"}]}', Kind.CASE),
        (200, CASE[:20], Kind.CASE),
        (200, b"[]", Kind.ABSENT),
        (200, b'{"content":[]}', Kind.ABSENT),
        (200, b'{"content":null,"numberOfElements":0}', Kind.ABSENT),
        (404, '{"code":404,"message":"Não foram encontrados registros"}'.encode(), Kind.ABSENT),
        (404, b"404 page not found\n", Kind.ROUTE),
        (404, b"<html>Not Found</html>", Kind.ROUTE),
        (404, b'{"message":"no Route matched with those values"}', Kind.ROUTE),
        (200, SHELL, Kind.SHELL),
        (200, b"<html><form id='kc-form-login'></form>", Kind.LOG_IN),
        (200, "<h1>Sistema em manutenção</h1>".encode(), Kind.MAINTENANCE),
        (200, b"<html>Request Rejected. Your support ID is: 1", Kind.FIREWALL),
        (200, b"<html>hello</html>", Kind.PAGE),
        (200, b"", Kind.PAGE),
        (200, b'{"error":"x"}', Kind.ODD),
        (403, b"<html><h1>403 Forbidden</h1></html>", Kind.FIREWALL),
        (403, b"", Kind.FIREWALL),
        (403, b"<html>Error 1009: banned your country or region</html>", Kind.ABROAD),
        (403, b'{"message":"Forbidden"}', Kind.FORBIDDEN),
        (403, NO_STANDING, Kind.NO_ACCESS),
        (401, NO_STANDING, Kind.NO_ACCESS),
        (401, b"", Kind.REFUSED),
        (301, b"", Kind.MOVED),
        (429, b"", Kind.THROTTLED),
        (451, b"", Kind.ABROAD),
        (500, b'{"message":"x"}', Kind.FAILED),
        (502, b"", Kind.AWAY),
        (504, b"<html>", Kind.AWAY),
        (418, b"", Kind.ODD),
    ],
)
def test_an_answer_is_known_by_its_status_and_body(status: int, head: bytes, kind: Kind) -> None:
    assert kind_of(Answer(status, head)) is kind


def test_a_redirect_to_the_log_in_is_told_from_another() -> None:
    assert kind_of(Answer(302, b"", moved_to_log_in=True)) is Kind.LOG_IN


@pytest.mark.parametrize(
    ("answer", "given", "good", "words"),
    [
        (Answer(200, CASE), True, True, "with the case"),
        (Answer(200, b"[]"), False, True, "as it should be"),
        (Answer(200, b"[]"), True, False, "does not know this case"),
        (Answer(401, NO_STANDING), False, True, "takes the token"),
        (Answer(401, NO_STANDING), True, False, "no standing"),
        (Answer(401, b""), True, False, "the token is refused"),
        (Answer(200, SHELL), True, False, "wrong base URL"),
        (Answer(403, b"<html>"), True, False, "AUTOS_PDPJ_HEADERS"),
        (Answer(451, b""), True, False, "geo-blocking"),
        (Answer(429, b""), True, False, "throttled"),
        (Answer(404, b"404 page not found"), True, False, "wrong route"),
    ],
)
@pytest.mark.parametrize("api", list(Api))
@pytest.mark.parametrize("grant", list(TokenGrant))
def test_the_words_name_the_likely_cause(
    answer: Answer, given: bool, good: bool, words: str, api: Api, grant: TokenGrant
) -> None:
    diagnosis = of_answer(answer, api=api, grant=grant, given=given)
    assert diagnosis.good is good
    assert words in diagnosis.words


@pytest.mark.parametrize("kind", list(Trouble))
def test_every_trouble_of_the_network_has_words(kind: Trouble) -> None:
    assert verdict_of_trouble(kind).good is False
    assert len(verdict_of_trouble(kind).words) > 20


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
