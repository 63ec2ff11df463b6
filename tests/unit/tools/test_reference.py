"""The generated pages of docs/reference: what they say follows from the code, and nothing is left unexplained."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import Field

from services.api.http.problems import Problem
from services.notifier.sending import prepare as sending
from shared.http import answer, dial, guard
from shared.settings import AutosSettings, Delays, Networks, Rate, RateSetting, Words
from tools.reference import error_codes, events, settings
from tools.reference.__main__ import PAGES, main
from tools.reference.markdown import prose, table
from tools.reference.notes import ATTEMPT_CODES, URL_CODES


class Own(AutosSettings):
    """Settings of a service that is not there.

    A second paragraph.
    """

    plain: int = Field(5, ge=1, le=9)
    """Apples."""
    described: str | None = Field(None, description="A name.")
    above: float = Field(0.5, gt=0, le=2)
    """Seconds."""
    protocol: str = Field("one", pattern="^(one|two)$")
    """Which."""
    delays: Delays = (5.0, 30.0)
    """Waits."""
    words: Words = ()
    """Words."""
    networks: Networks = ()
    """Networks."""
    rate: RateSetting | None = Rate(60, 60.0)
    """How often."""
    needed: str
    """What there has to be."""


class Silent(AutosSettings):
    """One setting says nothing of itself."""

    mystery: int = 1


def row(page: str, name: str) -> list[str]:
    found = re.search(rf"^\| {name} \|.*$", page, re.M)
    assert found is not None, name
    return [cell.strip() for cell in found[0].strip("|").split(" | ")]


def test_a_setting_is_told_with_type_bounds_default_and_meaning() -> None:
    page = settings.page({"own": Own})
    assert row(page, "AUTOS_PLAIN") == ["AUTOS_PLAIN", "whole number, 1 to 9", "5", "all", "Apples."]
    assert row(page, "AUTOS_DESCRIBED")[1:] == ["text", "", "all", "A name."]
    assert row(page, "AUTOS_ABOVE")[1] == "number, more than 0 to 2"
    assert row(page, "AUTOS_PROTOCOL")[1] == "one of `one`, `two`"
    assert row(page, "AUTOS_DELAYS")[1:3] == ["list of durations", "5,30"]
    assert row(page, "AUTOS_WORDS")[1] == "list of words"
    assert row(page, "AUTOS_NETWORKS")[1] == "list of networks"
    assert row(page, "AUTOS_RATE")[1:3] == ["rate, such as `60/minute`", "60/minute"]
    assert row(page, "AUTOS_NEEDED")[2] == "required"
    assert "Settings of a service that is not there.\n" in page
    assert "second paragraph" not in page


def test_a_setting_without_a_description_is_refused() -> None:
    with pytest.raises(settings.UndescribedSetting, match="mystery"):
        settings.page({"silent": Silent})


def test_a_default_of_one_service_stands_beside_that_of_all() -> None:
    class Other(Own):
        plain: int = Field(7, ge=1, le=9)

    assert row(settings.page({"own": Own, "other": Other}), "AUTOS_PLAIN")[2] == "5; other 7"


def test_every_setting_of_every_service_is_on_the_page() -> None:
    page = settings.page()
    for model in settings.PROGRAMS.values():
        for name, field in model.model_fields.items():
            assert f"| {settings.variable(name, field)} |" in page


def test_every_problem_is_on_the_page_with_its_status() -> None:
    page = error_codes.page()
    for problem in error_codes.subclasses(Problem):
        assert re.search(rf"^\| {problem.status} \| `{problem.code}` \|", page, re.M), problem.code


def test_a_code_without_a_note_and_a_note_without_a_code_are_refused() -> None:
    error_codes.complete(["a"], {"a": 1}, "NOTES")
    for codes, notes in ((["a", "b"], {"a": 1}), (["a"], {"a": 1, "c": 1})):
        with pytest.raises(error_codes.Unexplained):
            error_codes.complete(codes, notes, "NOTES")


def test_the_codes_of_urls_and_attempts_are_those_of_the_code() -> None:
    refused = re.findall(r'WebhookUrlRefused\(\s*"(\w+)"', Path(guard.__file__).read_text())
    assert set(refused) == set(URL_CODES)
    called = Path(dial.__file__).read_text() + Path(sending.__file__).read_text()
    literal = re.findall(r'(?:return|code =|code, message =|refused_call\()\s*"(\w+)"(?:,| if)', called)
    timeouts = {f"{phase}_timeout" for phase in answer.CallPhase}
    assert {*literal, *timeouts} == set(ATTEMPT_CODES)


def test_every_field_of_a_public_event_has_its_type() -> None:
    page = events.page()
    assert row(page, "`total_documents`")[1] == "integer"
    assert row(page, "`process_number`")[1] == "process number"
    assert row(page, "`process.completed` \\(public\\)")[1] == "`process_number`"
    assert "` |  |" not in page.partition("## Topics")[2]


def test_a_cell_is_one_line_and_ends_nowhere_else() -> None:
    assert table(("A", "B"), [("one\n two", "x|y")]) == "| A | B |\n|---|---|\n| one two | x\\|y |\n"
    assert prose("A :class:`shared.x.Thing` is\n    ``here``.\n\nMore.") == "A `Thing` is `here`."


def test_an_old_page_is_found_and_a_new_one_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check"], tmp_path) == 1
    assert "settings.md is out of date" in capsys.readouterr().err
    assert main([], tmp_path) == 0
    assert main(["--check"], tmp_path) == 0
    assert {path.name for path in tmp_path.iterdir()} == set(PAGES)
    assert main(["--what"], tmp_path) == 2
