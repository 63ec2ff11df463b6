"""What a failing answer means: the table of docs/reference/pdpj.md, "What each answer means", as a pure function.

``refusal`` takes the status, the headers and the first kB of the body of any answer that is not the wanted 200, and
gives the error to raise. It never looks at a clock and never puts a word of the answer into an error.
"""

from __future__ import annotations

import contextlib
import html
import re
import unicodedata
from collections.abc import Mapping
from enum import Enum, auto
from typing import Any, Final

from shared.http.retry_after import http_date, parse_retry_after
from sources.content.page_words import KnownPage
from sources.content.pages import known_page
from sources.content.recognise import is_json
from sources.content.signatures import sniff
from sources.errors import (
    DocumentNotFound,
    EmptyBody,
    NoAccess,
    NotReady,
    ProcessNotFound,
    SourceError,
    SourceForbidden,
    SourceRoute,
    SourceServerError,
    SourceThrottled,
    SourceTimeout,
    SourceUnavailable,
    TokenRejected,
    UnexpectedAnswer,
)
from sources.pdpj.parse.fields import as_dict, integer, read_json, text

MAX_RETRY_AFTER_SECONDS: Final = 3600.0
"""A source that asks for a longer pause is asked again after this one."""
_NO_ACCESS: Final = "nao possui acesso"
_GATEWAY: Final = frozenset({502, 503, 504, *range(520, 531), 598, 599})
_TIMEOUTS: Final = frozenset({408, 504, 522, 524, 598})
_CODES: Final = ("code", "status", "codigo", "statusCode", "httpStatus")
_MESSAGES: Final = ("message", "mensagem", "messages", "detail", "error_description", "error")
_ROUTE: Final = re.compile(
    r"no route|route not found|no (?:static|matching) resource|no handler found|backend|upstream"
)
_PAGE_BYTES: Final = 64 * 1024


class AskedFor(Enum):
    """What was asked for: "not found" and "a page" mean different things for each."""

    CASE = auto()
    DOCUMENT = auto()


def refusal(status: int, headers: Mapping[str, str], body: bytes, wanted: AskedFor) -> SourceError:
    """The error that an answer other than a good 200 stands for."""
    if status in (401, 403) and says_no_access(body):
        return NoAccess()
    if status == 401:
        return TokenRejected()
    if status == 403:
        return (
            UnexpectedAnswer("the source forbids this without saying why") if _is_json(headers) else SourceForbidden()
        )
    if status == 404:
        return _absent(wanted) if is_platforms_own(body) else SourceRoute()
    if status == 202:
        return NotReady(retry_after=retry_after(headers))
    if status == 429:
        return SourceThrottled(retry_after=retry_after(headers))
    if status in _TIMEOUTS:
        return SourceTimeout(f"the source answered {status}", retry_after(headers))
    if status in _GATEWAY:
        return SourceUnavailable(f"the source answered {status}", retry_after(headers))
    if status >= 500:
        return SourceServerError(f"the source answered {status}")
    if status == 204 and wanted is AskedFor.DOCUMENT:
        return EmptyBody()
    if 300 <= status < 400:
        return UnexpectedAnswer(f"the source answered {status}; a redirect that is not followed")
    return UnexpectedAnswer(f"the source answered {status}")


def misplaced(headers: Mapping[str, str], head: bytes, wanted: AskedFor) -> SourceError | None:
    """The error of a 200 that is not what was asked for: a page in place of a case, JSON in place of a document."""
    if wanted is AskedFor.CASE:
        page = None
        if head.strip() and not is_json(head):
            page = known_page(head[:_PAGE_BYTES], listed_as_text=False)
        if page is None and (_media_type(headers) == "text/html" or head.lstrip()[:1] == b"<"):
            page = KnownPage.ERROR
        # Whoever answers with a page is not the platform: the case may well be there.
        return None if page is None else SourceUnavailable(f"the source answered {page.value} in place of a case")
    if not is_json(head) and not (_is_json(headers) and sniff(head) in (None, "text/plain")):
        return None
    if says_no_access(head):
        return NoAccess()
    try:
        value = read_json(head)
    except ValueError:
        return UnexpectedAnswer("the source answered JSON in place of a document")
    if _is_empty(value) or _code_in(value) == 404:
        return DocumentNotFound()
    return UnexpectedAnswer("the source answered JSON in place of a document")


def is_platforms_own(body: bytes) -> bool:
    """Whether an error's body is the platform's own JSON, and not a gateway's word about a route that it lacks.

    The platform's has a code and a message (``{"code": 404, "message": …}``); gateways answer in HTML, in plain text,
    or in JSON that speaks of a route.
    """
    try:
        value = read_json(body)
    except ValueError:
        return False
    if isinstance(value, list):
        return True
    fields = as_dict(value)
    message = next((found for name in _MESSAGES if (found := text(fields.get(name))) is not None), None)
    return message is not None and _code_in(value) is not None and _ROUTE.search(_plain(message)) is None


def _is_empty(value: Any) -> bool:
    """Whether it is an empty list, or a page without content, which says so by [] or by null."""
    return value == [] or (isinstance(value, dict) and value.get("content", value) in ([], None))


def _code_in(value: Any) -> int | None:
    fields = as_dict(value)
    return next((found for name in _CODES if (found := integer(fields.get(name))) is not None), None)


def _absent(wanted: AskedFor) -> SourceError:
    return ProcessNotFound() if wanted is AskedFor.CASE else DocumentNotFound()


def says_no_access(body: bytes) -> bool:
    """Whether the body says "não possui acesso", in any encoding, escaping, case and spacing."""
    return any(_NO_ACCESS in _plain(reading) for reading in _readings(body))


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds of Retry-After (RFC 9110, section 10.2.3), from 0 to an hour; None when absent or nonsense.

    A date is read against the answer's own Date where it has one, so that the two clocks need not agree.
    """
    sent = http_date((headers.get("date") or "").strip())
    seconds = parse_retry_after(headers.get("retry-after"), sent, fractions=True)
    return None if seconds is None else min(seconds, MAX_RETRY_AFTER_SECONDS)


def _media_type(headers: Mapping[str, str]) -> str:
    return (headers.get("content-type") or "").partition(";")[0].strip().lower()


def _is_json(headers: Mapping[str, str]) -> bool:
    media_type = _media_type(headers)
    return media_type == "application/json" or media_type.endswith("+json")


def _readings(body: bytes) -> list[str]:
    """The body as the text it may be: the texts inside of JSON, UTF-8, Latin-1."""
    readings = [body.decode("utf-8", "replace"), body.decode("latin-1")]
    with contextlib.suppress(ValueError):
        readings.append(" ".join(_texts(read_json(body), 4)))
    return readings


def _texts(value: Any, depth: int) -> list[str]:
    if isinstance(value, str):
        return [value]
    if depth == 0 or not isinstance(value, dict | list):
        return []
    items = value.values() if isinstance(value, dict) else value
    return [found for item in items for found in _texts(item, depth - 1)]


def _plain(reading: str) -> str:
    """Without entities, accents, case and runs of space."""
    folded = unicodedata.normalize("NFKD", html.unescape(reading)).casefold()
    return " ".join("".join(char for char in folded if not unicodedata.combining(char)).split())
