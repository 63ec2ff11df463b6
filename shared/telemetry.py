"""Structured logs: one JSON object a line on stderr, quiet when all is well, with no secret and no personal data.

Only the fields given as ``extra`` are written besides the message; messages are constant texts, so that what
varies (ids, counts, codes) can be searched. Document names, party names and tokens are never passed here.
"""

from __future__ import annotations

import logging
import re
import sys
from datetime import UTC, datetime
from typing import Final

import orjson

from shared.clock import rfc3339

_STANDARD: Final = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}
_SECRETS: Final = re.compile(r"(?i)(bearer\s+|whsec_|autos_sk_|password=|://[^/@\s:]+:)[^\s@,;\"']+", re.ASCII)


def redact(text: str) -> str:
    """Take tokens, keys and passwords in URLs out of a text."""
    return _SECRETS.sub(lambda match: f"{match[1]}***", text)


class JsonFormatter(logging.Formatter):
    """A log record as one line of JSON: ts, level, logger, message, service and the extra fields."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "ts": rfc3339(datetime.fromtimestamp(record.created, UTC)),
            "level": record.levelname.lower(),
            "service": self._service,
            "logger": record.name,
            "message": redact(record.getMessage()),
        }
        for name, value in record.__dict__.items():
            if name not in _STANDARD and not name.startswith("_"):
                line[name] = redact(value) if isinstance(value, str) else value
        if record.exc_info:
            line["exception"] = redact(self.formatException(record.exc_info))
        return orjson.dumps(line, default=str).decode()


def configure_logging(service: str, level: str = "INFO") -> None:
    """Send every logger's lines to stderr as JSON; libraries only from WARNING up."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(service))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for name in ("services", "shared", "sources", "ops", "autos"):
        logging.getLogger(name).setLevel(level)
