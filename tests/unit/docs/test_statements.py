"""What hand-written pages say of settings, defaults and folders is what the code has."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tools.reference import settings

ROOT = Path(__file__).parents[3]
# What was decided, and what was new in a version, stands as it was.
PAGES = [
    page
    for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
    if "adr" not in page.parts and page.name not in ("CHANGELOG.md", "settings.md")
]
NAMED = re.compile(r"\bAUTOS_[A-Z0-9]+(?:_[A-Z0-9]+)*")
STATED = re.compile(r"\b(AUTOS_[A-Z0-9_]+[A-Z0-9]) \((?:default )?`?([\d.,]+(?: [MG]iB)?)")
UNITS = {"MiB": 1024**2, "GiB": 1024**3}


def defaults() -> dict[str, set[str]]:
    """The defaults of each setting, by the environment's name: services may differ."""
    found: dict[str, set[str]] = {}
    for model in settings.PROGRAMS.values():
        for name, field in model.model_fields.items():
            for variable in settings.variable(name, field).split(", "):
                found.setdefault(variable, set()).add(settings.default(field))
    return found


def number(text: str) -> str:
    """A default as a page writes it: thousands in commas, or with a unit."""
    value, _, unit = text.partition(" ")
    if unit:
        return str(int(value) * UNITS[unit])
    value = value.rstrip(".,")
    return value.replace(",", "") if re.fullmatch(r"\d{1,3}(?:,\d{3})+", value) else value


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_settings_that_a_page_names_exist(page: Path) -> None:
    others = set(NAMED.findall((ROOT / "docs/reference/settings.md").read_text()))
    known = set(defaults()) | others
    for named in set(NAMED.findall(page.read_text())):
        assert named in known or any(one.startswith(f"{named}_") for one in known), named


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_defaults_that_a_page_states_are_those_of_the_code(page: Path) -> None:
    known = defaults()
    for name, stated in STATED.findall(page.read_text()):
        found = {re.sub(r"/\w+$", "", one) for one in known.get(name, ())}
        assert number(stated) in found, (name, stated, found)


def test_the_readme_has_a_line_for_each_folder_and_no_more_than_ten() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", (ROOT / "README.md").read_text(), re.M)
    tracked = {line.partition("/")[0] for line in _tracked() if "/" in line and not line.startswith(".")}
    assert rows == sorted(tracked)
    assert len(rows) <= 10


def _tracked() -> list[str]:
    """Files of the repository: those of packages and manifests, not what tools have left."""
    left = {"build", "dist", "htmlcov"}
    tops = [
        top for top in ROOT.iterdir() if top.is_dir() and top.name not in left and not top.name.endswith(".egg-info")
    ]
    return [path.relative_to(ROOT).as_posix() for top in tops for path in top.iterdir() if path.name != "__pycache__"]


def test_the_glossary_has_at_most_sixty_words_in_order() -> None:
    page = (ROOT / "docs/glossary.md").read_text()
    for section in page.split("\n## ")[1:]:
        words = re.findall(r"^\| ([a-z][\w -]*) \|", section, re.M)
        assert words == sorted(words)
    words = re.findall(r"^\| ([a-z][\w -]*) \|", page, re.M)
    assert len(words) == len(set(words)) <= 60
