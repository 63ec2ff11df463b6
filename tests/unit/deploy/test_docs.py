"""What the pages for operators say about the code is so: the tests, metrics and log lines they name exist."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import typer

from autos.main import app
from tools.reference.log_messages import messages
from tools.reference.metrics import by_metric, families, series

ROOT = Path(__file__).parents[3]
PAGES = (
    "security.md",
    "operations.md",
    "scaling.md",
    "runbooks.md",
    "how-to/monitor.md",
    "how-to/connect-to-pdpj.md",
    "how-to/docker.md",
    "reference/pdpj.md",
)


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text()


@pytest.mark.parametrize("name", PAGES)
def test_every_test_that_is_named_exists(name: str) -> None:
    for path, test in re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", page(name)):
        assert re.search(rf"def {test}\b", (ROOT / path).read_text()), f"{path}::{test}"
    assert name != "security.md" or len(re.findall(r"`tests/[\w/]+\.py::\w+`", page(name))) > 40


@pytest.mark.parametrize("name", PAGES)
def test_every_file_that_is_named_exists(name: str) -> None:
    for path in re.findall(
        r"`((?:deploy|shared|services|sources|ops|autos|tools|tests|docs|requirements)/[\w./-]+\.\w+)`", page(name)
    ):
        assert (ROOT / path).is_file(), path
    for target in re.findall(r"\]\(([^)#:]+)\)", page(name)):
        assert ((ROOT / "docs" / name).parent / target).exists(), target


@pytest.mark.parametrize("name", PAGES)
def test_every_metric_that_is_named_exists(name: str) -> None:
    exposed = {one for metric, _ in by_metric(families()).values() for one in (metric.name, *series(metric))}
    named = set(re.findall(r"\b(autos_(?:api|downloader|status|webhook|consumer)_\w+)", page(name)))
    assert named <= exposed


def test_every_line_of_warning_and_above_is_explained() -> None:
    said = {message.text for message in messages() if message.level in ("warning", "error")}
    assert len(said) > 20
    section = page("operations.md").partition("## Log lines")[2]
    explained = set(re.findall(r"^\| `([^`]+)` \|", section, re.M))
    assert said - explained == set()
    assert explained - said == set()


@pytest.mark.parametrize("name", PAGES)
def test_every_command_that_is_named_exists(name: str) -> None:
    for words in re.findall(r"(?:^\$ |`)autos ([a-z][^`\n]*)", page(name), re.M):
        command: Any = typer.main.get_command(app)
        for word in words.split():
            if not word.isalpha() or not word.islower() or not hasattr(command, "commands"):
                break
            assert word in command.commands, words
            command = command.commands[word]
        options = {option for parameter in command.params for option in parameter.opts}
        assert set(re.findall(r"--[a-z]+(?:-[a-z]+)*", words)) <= options, words


def test_every_requirement_is_pinned_with_a_hash() -> None:
    for path in (ROOT / "requirements").rglob("*.txt"):
        # A requirement begins at the margin; what belongs to it is indented.
        requirements = re.split(r"\n(?=\S)", path.read_text().strip())
        assert len(requirements) > 10, path.name
        for requirement in requirements:
            assert re.match(r"[\w.\[\]-]+==\S+", requirement), (path.name, requirement.splitlines()[0])
            assert "--hash=sha256:" in requirement, (path.name, requirement.splitlines()[0])
    assert "--require-hashes" in (ROOT / "deploy" / "Dockerfile").read_text()
    makefile = (ROOT / "Makefile").read_text().replace("\\\n", " ")
    installs = [line for line in makefile.splitlines() if "pip install" in line and " -r " in line]
    assert len(installs) >= 5
    assert all("--require-hashes" in line for line in installs)
