"""Pages in place of documents: known by what they are, whatever they are called; decisions are none."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources.content.page_words import KnownPage
from sources.content.pages import known_page
from sources.content.recognise import ContentInspector, is_json
from sources.errors import EmptyBody, NotADocument

PAGES = {
    KnownPage.FIREWALL: [
        "<html><head><title>Request Rejected</title></head><body>The requested URL was rejected. Please consult with"
        " your administrator.<br>Your support ID is: 4711</body></html>",
        '<html><head><META NAME="robots"></head><body><iframe src="/_Incapsula_Resource?CWUDNSAI=2&xinfo=1">'
        "Request unsuccessful. Incapsula incident ID: 1-2</iframe></body></html>",
        "<HTML><HEAD><TITLE>Access Denied</TITLE></HEAD><BODY><H1>Access Denied</H1>You don't have permission to access"
        " this. Reference&#32;&#35;18&#46;abc https&#58;&#47;&#47;errors&#46;edgesuite&#46;net</BODY></HTML>",
        "<!DOCTYPE html><html><head><title>Just a moment...</title><script src='/cdn-cgi/challenge-platform/x.js'>"
        "</script></head><body></body></html>",
        "<html><body><h1>Attention Required! | Cloudflare</h1></body></html>",
        "<html><body><h2>Acesso bloqueado</h2><p>Procure o administrador.</p></body></html>",
        "<html><body>Please enable JavaScript to continue</body></html>",
    ],
    KnownPage.LOGIN: [
        '<html><head><title>Entrar em PJe</title></head><body><form id="kc-form-login" action="https://sso/auth/realms/pje'
        '/login-actions/authenticate"><input type="password" name="p"></form></body></html>',
        "<html><body><script>location.href='https://sso.acesso.gov.br/authorize'</script></body></html>",
        "<form method=post><input name=SAMLRequest value=x></form>",
        "<html><head><title>Sign in to pje</title></head><body>Usuário</body></html>",
    ],
    KnownPage.MAINTENANCE: [
        "<html><head><title>Manutenção</title></head><body><h1>Sistema em manutenção programada.</h1></body></html>",
        "<html><body><h1>Portal temporariamente indispon&iacute;vel</h1></body></html>",
        "<html><head><title>Site under maintenance</title></head><body>Back soon</body></html>",
    ],
    KnownPage.ERROR: [
        "<html><head><title>502 Bad Gateway</title></head><body><center><h1>502 Bad Gateway</h1></center><hr>nginx",
        "<html><body><h1>Whitelabel Error Page</h1><p>This application has no explicit mapping</p></body></html>",
        "<!doctype html><html><head><title>HTTP Status 500 – Internal Server Error</title></head></html>",
        "<html><head><title>Erro interno</title></head><body>x</body></html>",
    ],
    KnownPage.SHELL: ["<!doctype html><html><body><app-root></app-root></body></html>"],
}
DECISIONS = [
    "<html><body><p>Decisão: o sistema esteve em manutenção.</p></body></html>",
    "<div>Acesso negado ao portal, o autor tentou novamente mais tarde.</div>",
    "<html><head><title>Decisão</title></head><body>O réu alega erro interno do sistema e senha inválida.",
    "<html><body><h1>SENTENÇA</h1><p>O serviço esteve indisponível; reference #1.</p></body></html>",
    "<p>O login do usuário foi bloqueado pelo firewall da Cloudflare, conforme captcha juntado.</p>",
    "<html><head><title>Embargos de declaração por erro material</title></head><body>Acolho.</body></html>",
]


MARKUP = {
    KnownPage.LOGIN: [
        *(
            '<input type="password">',
            "<input TYPE = password>",
            "kc-form-login",
            "kc-login",
            "/login-actions/authenticate",
        ),
        *("/openid-connect/auth?", "sso.acesso.gov.br", "accounts.acesso.gov.br", "name='SAMLResponse'"),
        *("name=SAMLRequest ", 'name = "j_username"'),
    ],
    KnownPage.FIREWALL: [
        *("_Incapsula_Resource", "Incapsula incident ID", "/cdn-cgi/", "cf-error-details", "cf-browser-verification"),
        *("cf_chl_opt", "errors.edgesuite.net", "/_sec/cp_challenge", "ak_bmsc", "AwsWafIntegration", "x.awswaf.com"),
        *("sucuri.net/", "Sucuri WebSite Firewall", "FGD_icon", "FortiGuard", "px-captcha", "captcha-delivery.com"),
        *("distil_r_captcha", "/TSPD/", "g-recaptcha", "h-captcha"),
    ],
}


@pytest.mark.parametrize(("page", "mark"), [(page, mark) for page, marks in MARKUP.items() for mark in marks])
def test_what_a_page_is_made_of_is_known_in_a_long_one(page: KnownPage, mark: str) -> None:
    body = f"<html><body><p>{'Vistos. ' * 2_500}{mark}</p></body></html>".encode()
    assert known_page(body) is page


@pytest.mark.parametrize(("page", "body"), [(page, body) for page, bodies in PAGES.items() for body in bodies])
@pytest.mark.parametrize("declared", ["text/html", "application/pdf", None])
@pytest.mark.parametrize("listed", ["application/pdf", "text/html", None])
def test_a_page_is_known_whatever_it_is_called(
    page: KnownPage, body: str, declared: str | None, listed: str | None
) -> None:
    assert known_page(body.encode()) is page
    for encoded in (body.encode(), body.encode("latin-1", "replace"), body.upper().encode()):
        inspector = ContentInspector(declared, listed)
        inspector.feed(encoded)
        with pytest.raises(NotADocument):
            inspector.result()


@pytest.mark.parametrize("body", DECISIONS)
def test_a_decision_that_speaks_of_such_things_is_a_document(body: str) -> None:
    for listed in ("text/html", None):
        inspector = ContentInspector("text/html; charset=utf-8", listed)
        inspector.feed(body.encode())
        assert inspector.result().media_type == "text/html"


@pytest.mark.parametrize(
    "body",
    [
        "upstream connect error or disconnect/reset before headers",
        "404 page not found",
        "Internal Server Error",
        "Erro ao recuperar o binário do documento",
        "<Error><Code>NoSuchKey</Code></Error>",
        "<html></html>",
    ],
)
def test_a_servers_notice_is_no_pdf(body: str) -> None:
    assert known_page(body.encode(), listed_as_text=False) is not None
    assert known_page(body.encode()) in (None, KnownPage.ERROR)


def test_a_decision_in_place_of_a_pdf_is_one() -> None:
    assert (
        known_page("<html><body><p>Decisão: defiro o pedido.</p></body></html>".encode(), listed_as_text=False) is None
    )


def test_a_long_text_is_not_judged_by_its_words() -> None:
    body = "<html><body><h1>Manutenção</h1>" + "<p>fundamentação</p>" * 2000
    assert known_page(body.encode(), listed_as_text=False) is None


@pytest.mark.parametrize(
    ("head", "is_so"),
    [
        (b'{"message": "x"}', True),
        (b'\xef\xbb\xbf \r\n{\n "a": 1', True),
        (b"[]", True),
        (b'[{"a":1}]', True),
        (b"{}", True),
        (b"{\\rtf1\\ansi", False),
        (b"[DECIS\xc3\x83O]", False),
        (b"%PDF-1.7 {", False),
        (b"", False),
        (b"{ chaves } num texto", False),
    ],
)
def test_json_is_known_by_its_first_signs(head: bytes, is_so: bool) -> None:
    assert is_json(head) is is_so


@given(st.binary(max_size=400), st.sampled_from([None, "application/pdf", "text/html", "x"]))
def test_any_bytes_are_judged(body: bytes, listed: str | None) -> None:
    known_page(body, listed_as_text=False)
    inspector = ContentInspector("text/html", listed)
    inspector.feed(body)
    with suppress(EmptyBody, NotADocument):
        inspector.result()
