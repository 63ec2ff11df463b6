"""The version of a case in the headers of HEAD ultima-atualizacao: pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

_READING: Final = "2"
"""To be raised when :mod:`sources.pdpj.parse.case` takes other things from the same answer: every case is read anew."""

_ONE_SECOND: Final = timedelta(seconds=1)


def version_in(headers: Mapping[str, str], view: str) -> str | None:
    """A short text that is equal only for the same state of the case, seen in the same way; None when that is not sure.

    The ETag where there is one. A Last-Modified counts from the second after it on: it has whole seconds, so within
    its own second a further change would not show (RFC 9110, 8.8.2.2). ``view`` names who looks at what.
    """
    if headers.get("content-type", "").lower().startswith("text/html"):
        return None  # the page that a portal gives for every address: it is the same whatever happens to the case
    found = headers.get("etag") or _modified_a_second_ago(headers)
    if not found:
        return None
    return hashlib.sha256("\n".join((_READING, view, found)).encode()).hexdigest()[:32]


def _modified_a_second_ago(headers: Mapping[str, str]) -> str | None:
    modified, now = headers.get("last-modified"), headers.get("date")
    if not modified or not now:
        return None
    at, answered = _moment(modified), _moment(now)
    return modified if at is not None and answered is not None and answered - at >= _ONE_SECOND else None


def _moment(text: str) -> datetime | None:
    """None when it is not an HTTP date with its zone."""
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None
