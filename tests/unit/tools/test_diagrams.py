"""The drawings of docs/images are what their script makes, well-formed, and name what the code has."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from shared.events.topics import TOPICS
from tools.diagrams import __main__ as command
from tools.diagrams.drawings import DRAWINGS, path_of_a_case


@pytest.mark.parametrize("name", DRAWINGS)
def test_a_drawing_is_a_picture_with_a_title_and_nothing_from_elsewhere(name: str) -> None:
    text = DRAWINGS[name]()
    assert text == DRAWINGS[name]()
    root = ElementTree.fromstring(text)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert [one.text for one in root.iter("{http://www.w3.org/2000/svg}title")] != [None]
    assert "href" not in text and "url(http" not in text and "@import" not in text


def test_the_topics_of_the_drawing_exist() -> None:
    named = set(re.findall(r">([a-z]+\.[a-z]+)<", path_of_a_case()))
    assert named <= {topic.name for topic in TOPICS}
    assert len(named) == 5


def test_the_command_writes_and_compares(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--check"], tmp_path) == 1
    assert command.main([], tmp_path) == 0
    assert command.main(["--check"], tmp_path) == 0
    assert command.main(["--wrong"], tmp_path) == 2
    assert "out of date" in capsys.readouterr().err


def test_what_is_committed_is_what_is_made() -> None:
    assert command.main(["--check"]) == 0
