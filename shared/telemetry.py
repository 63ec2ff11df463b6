"""Structured logs: one JSON object a line on stderr, or text on a terminal, with no secret and no personal data.

Only the fields given as ``extra`` are written besides the message; messages are constant texts, so that what
varies (ids, counts, codes) can be searched. Document names, party names and tokens are never passed here.
structlog renders the lines of the standard library's loggers (docs/adr/0026-libraries.md).
"""

from __future__ import annotations

import logging
import os
import re
import sys
from datetime import UTC, datetime
from typing import Any, Final

import orjson
from structlog.dev import ConsoleRenderer, plain_traceback
from structlog.processors import JSONRenderer
from structlog.stdlib import ExtraAdder, ProcessorFormatter
from structlog.types import EventDict, Processor, WrappedLogger

from shared.clock import rfc3339
from shared.tracing.spans import current_ids

_SECRETS: Final = re.compile(r"(?i)(bearer\s+|whsec_|autos_sk_|password=|://[^/@\s:]+:)[^\s@,;\"']+", re.ASCII)


def redact(text: str) -> str:
    """Take tokens, keys and passwords in URLs out of a text. The last guard: callers do not log them in the first
    place.
    """
    return _SECRETS.sub(lambda match: f"{match[1]}***", text)


def json_formatter(service: str) -> logging.Formatter:
    """A log record as one line of JSON: ts, level, service, logger, message and the extra fields."""
    return ProcessorFormatter(
        foreign_pre_chain=[ExtraAdder()], processors=[_line_of(service), JSONRenderer(serializer=_dumps)]
    )


def text_formatter(service: str, *, colours: bool) -> logging.Formatter:
    """The same for people: time, level, message, then the fields."""
    renderer = ConsoleRenderer(
        colors=colours, pad_event_to=0, timestamp_key="ts", event_key="message", exception_formatter=plain_traceback
    )
    return ProcessorFormatter(foreign_pre_chain=[ExtraAdder()], processors=[_line_of(service), renderer])


def _formatter(service: str, style: str) -> logging.Formatter:
    """``style`` as the setting AUTOS_LOG_FORMAT; colours on a terminal alone, and not with NO_COLOR (no-color.org)."""
    terminal = sys.stderr.isatty()
    if style == "json" or (style == "auto" and not terminal):
        return json_formatter(service)
    return text_formatter(service, colours=terminal and not os.environ.get("NO_COLOR"))


def configure_logging(service: str, level: str = "INFO", style: str = "auto") -> None:
    """Send every logger's lines to stderr; libraries only from WARNING up. ``style``: AUTOS_LOG_FORMAT."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_formatter(service, style))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for name in ("services", "shared", "sources", "ops", "autos"):
        logging.getLogger(name).setLevel(level)


def _line_of(service: str) -> Processor:
    """What a line begins with, and its secrets taken out."""

    def line(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        record: logging.LogRecord = event.pop("_record")
        event.pop("_from_structlog")
        made: dict[str, object] = {
            "ts": rfc3339(datetime.fromtimestamp(record.created, UTC)),
            "level": record.levelname.lower(),
            "service": service,
            "logger": record.name,
            "message": redact(str(event.pop("event"))),
        }
        if (ids := current_ids()) is not None:
            made["trace_id"], made["span_id"] = ids
        exception = event.pop("exc_info", None)
        made |= {
            name: redact(value) if isinstance(value, str) else value for name, value in event.items() if name[:1] != "_"
        }
        if exception:
            made["exception"] = redact(logging.Formatter().formatException(exception))
        return made

    return line


def _dumps(line: EventDict, **_: Any) -> str:
    return orjson.dumps(line, default=str).decode()
