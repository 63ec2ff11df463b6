"""What is wrong with a body that is not JSON, in words that lead to one that is (pure functions)."""

from __future__ import annotations

from collections.abc import Sequence
from email.message import Message
from typing import Any, Final

from services.api.http.problems import FieldError, Problem, ValidationFailed

_TYPE_SHOWN: Final = 100
_WANTED: Final = "send JSON with the header Content-Type: application/json"


class UnsupportedMediaType(Problem):
    """The request has a body, but its Content-Type does not say that it is JSON (RFC 9110, section 15.5.16)."""

    status, code, title = 415, "unsupported_media_type", "The request body is not sent as JSON"


def body_fault(errors: Sequence[Any], body: object, content_type: str | None) -> Problem | None:
    """The problem of a body that could not be read as JSON; None when something else is wrong with the request.

    ``errors`` and ``body``: the framework's findings, and what it made of the body: bytes where the type is another.
    """
    of_body = next((one for one in errors if one["loc"][:1] == ("body",)), None)
    if of_body is None:
        return None
    if of_body["type"] == "json_invalid":
        return _broken_json(str(body), int(of_body["loc"][1]), str(of_body.get("ctx", {}).get("error", "")))
    if isinstance(body, bytes) and body and not is_json(content_type):
        sent = f"Content-Type is {content_type[:_TYPE_SHOWN]}" if content_type else "there is no Content-Type"
        detail = f"the body is not sent as JSON: {sent}; {_WANTED}"
        return UnsupportedMediaType(detail, errors=[FieldError("header.content-type", "not_json", detail)])
    if body in (None, b"") and len(of_body["loc"]) == 1 and of_body["type"] == "missing":
        detail = f"the body is empty; {_WANTED}"
        return ValidationFailed(detail, errors=[FieldError("body", "missing", detail)])
    return None


def not_text(cause: BaseException | None) -> Problem:
    """The problem of a body that is not text in UTF-8."""
    place = f" (the byte at {cause.start} is not)" if isinstance(cause, UnicodeDecodeError) else ""
    detail = f"the body is not JSON: JSON is text in UTF-8{place}"
    return ValidationFailed(detail, errors=[FieldError("body", "json_invalid", detail)])


def is_json(content_type: str | None) -> bool:
    """Whether a Content-Type says JSON (RFC 6839, section 3.1: also a type that ends in +json)."""
    if not content_type:
        return False
    message = Message()
    message["content-type"] = content_type
    subtype = message.get_content_subtype()
    return message.get_content_maintype() == "application" and (subtype == "json" or subtype.endswith("+json"))


def _broken_json(text: str, position: int, reason: str) -> Problem:
    """``position`` counts characters from 0, as :class:`json.JSONDecodeError` does."""
    line = text.count("\n", 0, position) + 1
    column = position - (text.rfind("\n", 0, position) + 1) + 1
    cut = position >= len(text.rstrip())
    detail = (
        f"the body is not JSON: {_words(reason)} at line {line}, column {column} (character {position})"
        f"{'; it ends there, as if it were cut off' if cut else ''}"
    )
    return ValidationFailed(detail, errors=[FieldError("body", "json_invalid", detail)])


def _words(reason: str) -> str:
    return reason[:1].lower() + reason[1:] if reason else "it cannot be read"
