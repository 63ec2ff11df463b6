"""What each step at the source means, in words, with the likely cause. Pure: a fact goes in, a diagnosis comes out.

No word of an answer, no token and no person's name is ever put into a diagnosis.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from shared.secrets.keys import SecretUnreadable
from sources.content.recognise import is_shell_page
from sources.errors import (
    CredentialsRefused,
    DocumentNotFound,
    NoAccess,
    NotADocument,
    SourceError,
    SourceServerError,
    SourceThrottled,
    SourceTimeout,
    SourceUnavailable,
    TokenRejected,
)
from sources.pdpj.answers import says_no_access
from sources.pdpj.parse.fields import as_dict, read_json
from sources.pdpj.settings import Api, TokenGrant


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """``good``: True in order, False not, None could not be tried."""

    good: bool | None
    words: str


class ConnectionFailure(StrEnum):
    """Why nobody answered."""

    NO_NAME = "no name"
    REFUSED = "refused"
    TIMEOUT = "timeout"
    UNREACHABLE = "unreachable"
    BROKEN = "broken"
    CERTIFICATE = "certificate"
    TLS = "tls"


_ABROAD: Final = "courts' networks let in few addresses from outside of Brazil: try from a Brazilian one"
_CONNECTION_FAILURES: Final[dict[ConnectionFailure, str]] = {
    ConnectionFailure.NO_NAME: "the name has no address: a misspelt address in the settings, or this machine's DNS",
    ConnectionFailure.REFUSED: "the connection is refused: a wrong host or port, or nothing runs there",
    ConnectionFailure.TIMEOUT: (
        f"no answer in time: a firewall on the way (Autos uses no proxy), or geo-blocking: {_ABROAD}"
    ),
    ConnectionFailure.UNREACHABLE: "no way to this address: this machine's network, or its firewall",
    ConnectionFailure.BROKEN: f"the connection was cut without an answer: a firewall, or geo-blocking: {_ABROAD}",
    ConnectionFailure.CERTIFICATE: "the certificate is not the host's: a wrong host, a proxy in between, or the clock",
    ConnectionFailure.TLS: "TLS cannot be agreed on: a port without TLS, or a firewall that cuts it",
}


def of_connection_failure(failure: ConnectionFailure) -> Diagnosis:
    """Nobody answered."""
    return Diagnosis(False, _CONNECTION_FAILURES[failure])


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """An HTTP answer about a case: its status and the beginning of its body."""

    status: int
    head: bytes
    moved_to_log_in: bool = False


class AnswerKind(StrEnum):
    """What an answer is."""

    CASE = "case"
    ABSENT = "absent"
    NO_ACCESS = "no access"
    SHELL = "shell"
    LOG_IN = "log-in"
    MAINTENANCE = "maintenance"
    ABROAD = "abroad"
    FIREWALL = "firewall"
    PAGE = "page"
    REFUSED = "refused"
    FORBIDDEN = "forbidden"
    ROUTE = "route"
    MOVED = "moved"
    THROTTLED = "throttled"
    AWAY = "away"
    FAILED = "failed"
    ODD = "odd"


_PAGES: Final[tuple[tuple[AnswerKind, re.Pattern[bytes]], ...]] = (
    (
        AnswerKind.ABROAD,
        re.compile(rb"(?:error|erro) 1009|your (?:country|region)|seu pa(?:i|\xed|\xc3\xad)s|geo-?(?:block|bloq)"),
    ),
    (
        AnswerKind.LOG_IN,
        re.compile(rb"kc-form-login|type=[\"']?password|sso\.acesso\.gov\.br|/protocol/openid-connect/auth"),
    ),
    (AnswerKind.MAINTENANCE, re.compile(rb"manuten|maintenance|temporariamente indispon")),
    (
        AnswerKind.FIREWALL,
        re.compile(
            rb"request rejected|support id|incapsula|_incap_|cloudflare|akamai|access denied|acesso negado|forbidden"
            rb"|web application firewall"
        ),
    ),
)


def kind_of(answer: HttpAnswer) -> AnswerKind:
    """What came in place of a case, or that it is one."""
    status, head = answer.status, answer.head
    if status in (401, 403) and says_no_access(head):
        return AnswerKind.NO_ACCESS
    is_json = head.lstrip()[:1] in (b"{", b"[")
    if status == 200:
        return _kind_of_json(head) if is_json else _kind_of_page(head)
    if status == 404:
        return AnswerKind.ABSENT if is_json and b"route" not in head.lower() else AnswerKind.ROUTE
    if status == 403 and not is_json:
        page = _kind_of_page(head)
        return page if page is AnswerKind.ABROAD else AnswerKind.FIREWALL
    if 300 <= status < 400:
        return AnswerKind.LOG_IN if answer.moved_to_log_in else AnswerKind.MOVED
    known = {
        401: AnswerKind.REFUSED,
        403: AnswerKind.FORBIDDEN,
        429: AnswerKind.THROTTLED,
        451: AnswerKind.ABROAD,
        408: AnswerKind.AWAY,
    }
    if status in known:
        return known[status]
    if status in (502, 503, 504) or 520 <= status <= 530:
        return AnswerKind.AWAY
    return AnswerKind.FAILED if status >= 500 else AnswerKind.ODD


_PARTS_OF_A_CASE: Final = frozenset(
    {"numeroProcesso", "content", "id", "tramitacaoAtual", "tramitacoes", "documentos", "dadosBasicos"}
)


def _kind_of_json(head: bytes) -> AnswerKind:
    try:
        value = read_json(head)
    except ValueError:
        return AnswerKind.CASE  # only the beginning was read
    if value == [] or (isinstance(value, dict) and "content" in value and not value["content"]):
        return AnswerKind.ABSENT
    answer = as_dict(value)
    if answer and not answer.keys() & _PARTS_OF_A_CASE:
        return AnswerKind.ABSENT if 404 in (answer.get("code"), answer.get("status")) else AnswerKind.ODD
    return AnswerKind.CASE


def _kind_of_page(head: bytes) -> AnswerKind:
    if is_shell_page(head):
        return AnswerKind.SHELL
    text = head.lower()
    return next((kind for kind, words in _PAGES if words.search(text) is not None), AnswerKind.PAGE)


_RENEW: Final[dict[TokenGrant, str]] = {
    TokenGrant.FIXED: "AUTOS_PDPJ_ACCESS_TOKEN has ended, or is of another realm: set a new one",
    TokenGrant.REFRESH_TOKEN: "the log-in worked, so AUTOS_PDPJ_TOKEN_URL may be of another realm than this source",
    TokenGrant.CLIENT_CREDENTIALS: "the log-in worked, so this client may not be granted for this interface: ask CNJ",
}
_BASE_URL: Final[dict[Api, str]] = {
    Api.PORTAL: "AUTOS_PDPJ_BASE_URL is what stands before /api/v2, AUTOS_PDPJ_API=portal",
    Api.DATA_LAKE: "AUTOS_PDPJ_BASE_URL is what stands before /processo-api/api/v1, AUTOS_PDPJ_API=datalake",
}
_FIREWALL: Final = (
    "a firewall before the source refuses the request: it may ask for other headers (AUTOS_PDPJ_USER_AGENT,"
    " AUTOS_PDPJ_HEADERS), or be about this machine's address"
)


def of_answer(answer: HttpAnswer, *, api: Api, grant: TokenGrant, given: bool) -> Diagnosis:
    """What an answer about a case means. ``given``: the number is the operator's, so the case should be there."""
    kind, status = kind_of(answer), answer.status
    match kind:
        case AnswerKind.CASE:
            return Diagnosis(True, "the source answers with the case")
        case AnswerKind.ABSENT if given:
            words = "the source answers and does not know this case: check the number; the account may not see it"
            return Diagnosis(
                False, words + (", or the data lake lags behind the court" if api is Api.DATA_LAKE else "")
            )
        case AnswerKind.ABSENT:
            return Diagnosis(True, "the source answers; no case has the number that was tried, as it should be")
        case AnswerKind.NO_ACCESS if given:
            return Diagnosis(False, "no standing: the token is good, and the account may not see this case")
        case AnswerKind.NO_ACCESS:
            return Diagnosis(True, "the source answers and takes the token")
    words = {
        AnswerKind.SHELL: f"wrong base URL: the portal's own page (its shell) came in place of data; {_BASE_URL[api]}",
        AnswerKind.LOG_IN: f"a log-in page came in place of data: a wrong base URL, or a token that is not looked at;"
        f" {_BASE_URL[api]}",
        AnswerKind.MAINTENANCE: "a maintenance page came: the source is away; Autos goes on by itself when it is back",
        AnswerKind.ABROAD: f"geo-blocking: {_ABROAD}",
        AnswerKind.FIREWALL: _FIREWALL,
        AnswerKind.PAGE: f"a page came in place of data: a firewall, or a wrong base URL; {_BASE_URL[api]}",
        AnswerKind.REFUSED: f"the token is refused: {_RENEW[grant]}",
        AnswerKind.FORBIDDEN: (
            "the source forbids this account or client the interface: a role or a grant of CNJ is missing"
        ),
        AnswerKind.ROUTE: f"the gateway's 404, not the platform's: a wrong route; {_BASE_URL[api]}",
        AnswerKind.MOVED: f"a redirect away: http:// in place of https://, or a wrong host; {_BASE_URL[api]}",
        AnswerKind.THROTTLED: "throttled: the source asks for fewer requests; wait, and lower AUTOS_SOURCE_CONCURRENCY",
        AnswerKind.AWAY: (
            "the source is away behind its gateway; nothing to set, Autos goes on by itself when it is back"
        ),
        AnswerKind.FAILED: "the source failed on this request; try another case before you conclude anything",
        AnswerKind.ODD: f"an answer that fits nothing known; {_BASE_URL[api]}",
    }[kind]
    return Diagnosis(False, f"{words} (HTTP {status})")


_ANEW: Final = (
    "the refresh token has ended, was used up or was taken back. It comes from a log-in with a second factor,"
    " which only a person can do: make a new one and set AUTOS_PDPJ_REFRESH_TOKEN (docs/how-to/connect-to-pdpj.md)"
)


def of_refusal(reason: str, grant: TokenGrant) -> Diagnosis:
    """The token endpoint said no; ``reason`` is its OAuth 2 code or the status (RFC 6749, section 5.2)."""
    if reason == "invalid_grant" and grant is TokenGrant.REFRESH_TOKEN:
        words = _ANEW
    elif reason in ("invalid_client", "unauthorized_client", "401"):
        words = (
            "the client is refused: check AUTOS_PDPJ_CLIENT_ID and AUTOS_PDPJ_CLIENT_SECRET, and that this client is"
            f" granted {grant.value}"
        )
    elif reason in ("unsupported_grant_type", "invalid_request", "invalid_scope"):
        words = f"the endpoint does not take {grant.value} from this client: ask CNJ which grant it is given"
    else:
        words = "the log-in is refused; do not try again and again, repeated refusals lock the account"
    return Diagnosis(False, f"token refused ({reason}): {words}")


def of_token_error(error: SourceError) -> Diagnosis:
    """No token came, and nobody refused us."""
    match error:
        case CredentialsRefused() if SecretUnreadable.code in error.message:
            return Diagnosis(False, error.message)
        case CredentialsRefused():
            wait = f" for {error.retry_after:.0f} s more" if error.retry_after else ""
            return Diagnosis(False, f"log-ins are paused{wait} after refusals, so that the account is not locked")
        case SourceThrottled():
            return Diagnosis(False, "throttled: the token endpoint asks for fewer requests; wait")
        case SourceTimeout():
            return Diagnosis(False, "the token endpoint did not answer in time")
        case SourceUnavailable():
            return Diagnosis(
                False,
                f"{error.message}: AUTOS_PDPJ_TOKEN_URL may be wrong (it ends in /protocol/openid-connect/token), or a"
                " firewall stands before it",
            )
    return Diagnosis(False, error.message)


def of_document_error(error: SourceError) -> Diagnosis:
    """The case was read, its document was not."""
    causes: dict[type[SourceError], str] = {
        NoAccess: "no standing: the account may see the case and not this document",
        DocumentNotFound: "the case lists the document and the source does not have it yet: try another case",
        NotADocument: "a page came in place of the document: a firewall, or a deploy of the portal; try again later",
        TokenRejected: "the token is refused for documents and not for cases: a role is missing",
        CredentialsRefused: "the token is refused for documents and not for cases: a role is missing",
        SourceThrottled: "throttled: the source asks for fewer requests; wait, and lower AUTOS_SOURCE_CONCURRENCY",
        SourceServerError: "the court's system behind the source failed on this document: try another case",
        SourceTimeout: "the document did not come in time",
    }
    found = next((words for kind, words in causes.items() if isinstance(error, kind)), error.message)
    return Diagnosis(False, f"{found} ({error.code})")
