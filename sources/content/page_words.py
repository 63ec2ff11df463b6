"""What pages in place of a document are made of and say: tags in lower case, words without accents. Data.

The words are those of the products' own pages (F5, Imperva, Akamai, Cloudflare, Fortinet, Sucuri, AWS WAF; Keycloak and
gov.br) and of common servers' errors, in the languages that Brazilian courts meet them in.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final

from sources.content.linear_pattern import LinearPattern


class KnownPage(StrEnum):
    """What a page is, in words for a message."""

    SHELL = "the portal's shell page"
    FIREWALL = "a firewall's page"
    LOGIN = "a log-in page"
    MAINTENANCE = "a maintenance page"
    ERROR = "an error page"


def _any(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns))


SHELL: Final = LinearPattern(r"<app-root[\s/>]|[ \t\n\r\f\v]ng-version\s*=")
"""In the markup of the portal's single-page application. (With ``\\s`` at its beginning it takes 25 times as long.)"""

MADE_OF: Final = (
    (
        KnownPage.LOGIN,
        LinearPattern(
            r"type\s*=\s*[\"']?password",
            r"kc-form-login|kc-login|login-actions/authenticate|/openid-connect/auth\b",
            r"(?:sso|accounts)\.acesso\.gov\.br",
            r"name\s*=\s*[\"']?(?:samlrequest|samlresponse|j_username)\b",
        ),
    ),
    (
        KnownPage.FIREWALL,
        LinearPattern(
            r"_incapsula_resource|incapsula incident id",
            r"/cdn-cgi/|cf-error-details|cf-browser-verification|cf_chl_",
            r"errors\.edgesuite\.net|/_sec/cp_challenge|ak_bmsc",
            r"awswafintegration|\.awswaf\.com",
            r"sucuri\.net/|sucuri website firewall|fgd_icon|fortiguard",
            r"px-captcha|captcha-delivery\.com|distil_r_captcha|/tspd/|g-recaptcha|h-captcha",
        ),
    ),
)
"""In the markup, whatever the page says."""

TITLES: Final = (
    (
        KnownPage.FIREWALL,
        _any(
            r"request rejected|access denied|acesso (?:negado|bloqueado|nao autorizado)",
            r"just a moment|attention required|pardon our interruption|checking your browser",
            r"security check|verificacao de seguranca|you have been blocked|captcha",
            r"cloudflare|imperva|incapsula|web application firewall|are you (?:a )?(?:human|robot)",
        ),
    ),
    (
        KnownPage.MAINTENANCE,
        _any(
            r"^(?:\w+ )?(?:em )?manutencao(?: programada)?\W*$|em manutencao",
            r"^maintenance|(?:under|site|scheduled) maintenance",
            r"indisponivel|indisponibilidade|^unavailable|voltamos (?:logo|em breve)",
        ),
    ),
    (
        KnownPage.LOGIN,
        _any(
            r"^(?:sign in|log ?in|entrar|acesso ao sistema|autenticacao)\b",
            r"^faca (?:o )?(?:seu )?login|keycloak|gov\.br",
        ),
    ),
    (
        KnownPage.ERROR,
        _any(
            r"^(?:erro|error)(?:\W+(?:\d{3}|interno|http|no servidor|inesperado|do sistema|page)\b.*)?\W*$",
            r"^(?:http status |http error )?[45]\d\d\b|whitelabel error page",
            r"bad gateway|gateway time-?out|service (?:temporarily )?unavailable|internal server error",
            r"^forbidden|^not found|(?:page|pagina) (?:not found|nao encontrada)|^unauthorized",
            r"(?:sessao|session) (?:has )?expir",
        ),
    ),
)
"""In a title or a heading of a short page."""

SURE: Final = (
    (
        KnownPage.FIREWALL,
        _any(
            r"the requested url was rejected|your support id is|seu id de suporte",
            r"request unsuccessful\. incapsula|performance (?:&|and) security by cloudflare",
            r"enable (?:javascript|cookies)(?: and (?:javascript|cookies))? to (?:continue|proceed|view)",
            r"access denied.{0,200}(?:you don.t have permission to access|reference #)",
        ),
    ),
)
"""Anywhere in a short page."""

LIKELY: Final = (
    (
        KnownPage.MAINTENANCE,
        _any(
            r"(?:sistema|site|portal|servico|pagina|aplicacao|plataforma)\W+(?:\w+\W+){0,3}"
            r"(?:em manutencao|indisponivel|fora do ar)",
            r"manutencao programada|temporariamente (?:indisponivel|fora)",
            r"tente (?:novamente )?mais tarde|tente novamente|try again (?:later|in)",
            r"(?:scheduled|undergoing) maintenance|temporarily unavailable",
        ),
    ),
    (
        KnownPage.FIREWALL,
        _any(
            r"acesso (?:negado|bloqueado)|access denied|you have been blocked",
            r"request (?:was )?(?:blocked|rejected)|requisicao (?:foi )?(?:bloqueada|rejeitada)",
            r"(?:support|incident) id|reference #|ray id|nao sou um robo|not a robot|captcha",
        ),
    ),
    (
        KnownPage.LOGIN,
        _any(
            r"faca (?:o )?(?:seu )?login|sign in to|log in to|usuario e senha|esqueci (?:a |minha )?senha",
            r"entrar com gov\.br|(?:sessao|session) (?:has )?expir",
        ),
    ),
    (
        KnownPage.ERROR,
        _any(
            r"internal server error|bad gateway|gateway time-?out|service unavailable|upstream|no healthy",
            r"erro interno|erro inesperado|ocorreu um erro|an error (?:has )?occurred",
            r"erro ao (?:recuperar|obter|buscar|processar|carregar|baixar)",
            r"page not found|(?:pagina|arquivo|documento) nao encontrad|nosuchkey|faultstring|stack ?trace",
        ),
    ),
)
"""Anywhere in a short page that came where no text was to be expected."""
