"""The list of log messages follows from the code, and an operator understands each of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tools.reference.log_messages import LogMessage, Varying, messages, page


def found_in(tmp_path: Path, source: str) -> list[LogMessage]:
    folder = tmp_path / "services"
    folder.mkdir()
    (folder / "some.py").write_text(source)
    return messages(tmp_path)


def test_messages_are_found_with_level_logger_and_fields(tmp_path: Path) -> None:
    found = found_in(
        tmp_path,
        """
def told(error):
    _log.warning("It waits", extra={"job_id": 1, "error": error})
    fields = {"count": 2}
    _log.exception("It failed", extra=fields)
    _log.info("It starts", extra=made(1))
    other.info("not a logger of ours")
    Outage(_log, began="It is away", over="It is back", runtime="x")

def made(number):
    return {"number": number}
""",
    )
    assert found == [
        LogMessage("error", "It failed", "services.some", ("count",)),
        LogMessage("warning", "It is away", "services.some", ("runtime",)),
        LogMessage("warning", "It waits", "services.some", ("job_id", "error")),
        LogMessage("info", "It is back", "services.some", ("runtime",)),
        LogMessage("info", "It starts", "services.some", ("number",)),
    ]


def test_a_message_that_varies_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Varying, match="no constant text"):
        found_in(tmp_path, '_log.error(f"job {job_id} failed")\n')


def test_messages_are_sentences_for_an_operator_without_names_of_the_code() -> None:
    found = messages()
    assert len(found) > 70
    for message in found:
        assert re.match(r"[A-Z][a-z' ]", message.text), message
        assert len(message.text.split()) >= 3, message
        # No identifiers but codes that clients see.
        assert set(re.findall(r"\w+_\w+", message.text)) <= {"internal_error"}, message
        assert not message.text.endswith("."), message


def test_fields_name_no_secret_and_nobody() -> None:
    """What a line may say of a person or a document is its id, or its case's number."""
    refused = re.compile(r"^(name|names|party|parties|title|body|content|url|token|secret|password|key|email)$")
    for message in messages():
        assert not [field for field in message.fields if refused.match(field)], message


def test_the_request_line_and_the_first_line_are_listed_with_their_fields() -> None:
    text = page()
    for message, field in (("A request is answered", "client_id"), ("The service starts", "version")):
        (row,) = re.findall(rf"^\| `{message}` .*$", text, re.M)
        assert f"`{field}`" in row
