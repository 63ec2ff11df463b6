"""Log lines: JSON with the fields given, secrets taken out, libraries quiet."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from shared.telemetry import configure_logging, json_formatter, redact

Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Iterator[Lines]:
    """Reads what a configured process wrote; the logging of the test run is put back."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield lambda: [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    root.handlers[:] = handlers
    root.setLevel(level)
    for name in ("services", "shared", "sources", "ops", "autos"):
        logging.getLogger(name).setLevel(logging.NOTSET)


def test_a_line_is_json_with_the_fields_given(lines: Lines) -> None:
    configure_logging("status")
    logging.getLogger("services.status").info("job ended", extra={"job_id": "j1", "documents": 3})
    (line,) = lines()
    assert str(line.pop("ts")).endswith("Z")
    assert line == {
        "level": "info",
        "service": "status",
        "logger": "services.status",
        "message": "job ended",
        "job_id": "j1",
        "documents": 3,
    }


def test_libraries_are_heard_from_warning_up(lines: Lines) -> None:
    configure_logging("status", "DEBUG")
    logging.getLogger("some.library").info("chatter")
    logging.getLogger("some.library").warning("trouble")
    logging.getLogger("shared.kafka").debug("detail")
    assert [line["message"] for line in lines()] == ["trouble", "detail"]


def test_configuring_twice_does_not_double_the_lines(lines: Lines) -> None:
    configure_logging("status")
    configure_logging("status")
    logging.getLogger("services").warning("once")
    assert len(lines()) == 1


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("Authorization: Bearer abc.def.ghi", "abc.def.ghi"),
        ("key autos_sk_0123456789abcdef", "0123456789abcdef"),
        ("secret whsec_c2VjcmV0", "c2VjcmV0"),
        ("postgresql://autos:hunter2@127.0.0.1/autos", "hunter2"),
        ("host=x password=hunter2 dbname=y", "hunter2"),
    ],
)
def test_secrets_are_taken_out(text: str, hidden: str) -> None:
    assert hidden not in redact(text)
    assert "***" in redact(text)


def test_secrets_are_taken_out_of_messages_fields_and_exceptions(lines: Lines) -> None:
    configure_logging("status")
    logger = logging.getLogger("services")
    try:
        raise ValueError("postgresql://autos:hunter2@host/db refused")
    except ValueError:
        logger.exception("Bearer hunter2", extra={"url": "http://u:hunter2@host"})
    (line,) = lines()
    assert "hunter2" not in str(line)
    assert "ValueError" in line["exception"]


def test_what_json_lacks_is_written_as_text() -> None:
    record = logging.makeLogRecord({"msg": "m", "levelname": "INFO", "name": "n", "path": io.StringIO})
    assert json.loads(json_formatter("s").format(record))["path"]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("terminal", "style", "no_color", "looks"),
    [
        (False, "auto", "", "json"),
        (True, "auto", "", "coloured"),
        (True, "auto", "1", "text"),
        (True, "json", "", "json"),
        (False, "text", "", "text"),
    ],
)
def test_lines_are_for_people_on_a_terminal_and_have_colours_only_there(
    terminal: bool, style: str, no_color: str, looks: str, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = Terminal() if terminal else io.StringIO()
    monkeypatch.setattr("sys.stderr", written)
    monkeypatch.setenv("NO_COLOR", no_color)
    configure_logging("status", style=style)
    try:
        raise ValueError("password=hunter2")
    except ValueError:
        logging.getLogger("services").exception("A batch could not be written", extra={"job_id": "j1"})
    text = written.getvalue()
    assert "hunter2" not in text
    assert "A batch could not be written" in text and "j1" in text and "ValueError" in text
    assert ("\x1b[" in text) == (looks == "coloured")
    assert text.startswith("{") == (looks == "json")
    # The traceback is lines of its own for people, and one line for machines.
    assert (len(text.splitlines()) == 1) == (looks == "json")
