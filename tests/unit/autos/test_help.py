"""Every command's help has an example that the command would take, and shells can complete the command."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from autos.main import app

ROOT: Any = typer.main.get_command(app)


def leaves(command: Any, path: tuple[str, ...] = ("autos",)) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command that does something, with the words that name it."""
    if not hasattr(command, "commands"):
        yield path, command
        return
    for name, inner in command.commands.items():
        yield from leaves(inner, (*path, name))


COMMANDS = dict(leaves(ROOT))


def test_all_commands_are_looked_at() -> None:
    assert {("autos", "fetch"), ("autos", "keys", "create"), ("autos", "projection", "rebuild")} <= set(COMMANDS)
    assert len(COMMANDS) >= 17


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_the_help_has_an_example_that_the_command_takes(path: tuple[str, ...]) -> None:
    shown = CliRunner().invoke(app, [*path[1:], "--help"], env={"COLUMNS": "200", "TERM": "dumb"})
    assert shown.exit_code == 0
    lines = [line.strip(" │").removeprefix("Example: ") for line in shown.output.splitlines()]
    examples = [line for line in lines if line.startswith(f"{' '.join(path)}")]
    assert examples, shown.output
    for example in examples:
        # Parsed, not run: unknown options and missing arguments are refused here.
        COMMANDS[path].make_context(" ".join(path), shlex.split(example)[len(path) :])


def test_shells_can_complete_the_command() -> None:
    shown = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "200", "TERM": "dumb"})
    assert "--install-completion" in shown.output and "--show-completion" in shown.output
    asked = {"_AUTOS_COMPLETE": "complete_bash", "COMP_WORDS": "autos de", "COMP_CWORD": "1"}
    completed = CliRunner().invoke(app, [], prog_name="autos", env=asked)
    assert set(completed.output.split()) == {"dead", "delete", "deletions", "deliveries", "demo"}
