"""The files for contributors agree with the tools: hooks, editor settings, the commands of the Makefile."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[3]
MAKEFILE = (ROOT / "Makefile").read_text()


def test_hooks_call_the_pinned_tools_that_make_check_calls() -> None:
    (repository,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert repository["repo"] == "local"
    check = MAKEFILE.partition("\ncheck:")[2].partition("\n\n")[0]
    for hook in repository["hooks"]:
        assert hook["language"] == "system"
        tool = re.fullmatch(r"\.venv/bin/([\w-]+(?: \w+)?)(?: --[\w-]+)*", hook["entry"])
        assert tool is not None, hook["entry"]
        assert f"$(BIN)/{tool[1]}" in check


def test_the_editor_is_told_the_line_length_of_the_formatter() -> None:
    length = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]["line-length"]
    assert f"[*.py]\nindent_size = 4\nmax_line_length = {length}\n" in (ROOT / ".editorconfig").read_text()


def test_every_target_is_phony_and_explained() -> None:
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.M))
    lines = MAKEFILE.replace("\\\n", " ").splitlines()
    phony = {name for line in lines if line.startswith(".PHONY:") for name in line.split()[1:]}
    assert targets == phony
    assert targets == set(re.findall(r"^([a-z-]+):[^#\n]*## \S", MAKEFILE, re.M))


def test_the_licence_is_the_one_that_the_readme_names() -> None:
    licence = (ROOT / "LICENSE").read_text()
    assert "Apache License" in licence[:200]
    assert "END OF TERMS AND CONDITIONS" in licence
    assert "[Apache License 2.0](LICENSE)" in (ROOT / "README.md").read_text()
