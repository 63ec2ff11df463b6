"""What must be true before a release: one version everywhere, a changelog that has it, a clean tree. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

VERSION: Final = re.compile(r"\d+\.\d+\.\d+")
_SAID: Final[Mapping[str, str]] = {
    "autos/__init__.py": r'^__version__ = "([^"]*)"$',
    "shared/version.py": r'^__version__ = "([^"]*)"$',
    "deploy/kubernetes/base/kustomization.yaml": r"^\s+newTag: (\S+)$",
}
"""Where the version stands: services run without the package ``autos``, and a manifest names images."""
_HEADING: Final = re.compile(r"^## +(.*?) *$", re.M)


def versions_said(root: Path) -> dict[str, set[str]]:
    """What each place says, by its path. Raises OSError."""
    return {name: set(re.findall(pattern, (root / name).read_text(), re.M)) for name, pattern in _SAID.items()}


def version_faults(version: str, said: Mapping[str, set[str]]) -> list[str]:
    """What is wrong with this version, as sentences."""
    if not VERSION.fullmatch(version):
        return [f"{version!r} is no version: write VERSION=x.y.z"]
    return [
        f"{place} says {', '.join(sorted(found)) or 'no version'}, not {version}"
        for place, found in said.items()
        if found != {version}
    ]


def section(changelog: str, heading: str) -> str | None:
    """The text below ``## heading``, where a date in brackets may follow; None when there is no such section."""
    headings = list(_HEADING.finditer(changelog))
    for one, following in zip(headings, [*headings[1:], None], strict=True):
        if re.sub(r" \(\d{4}-\d{2}-\d{2}\)$", "", one[1]) == heading:
            return changelog[one.end() : following.start() if following is not None else None].strip()
    return None


def changelog_faults(changelog: str, version: str) -> list[str]:
    """What the changelog lacks, as sentences."""
    faults = []
    if not section(changelog, version):
        faults.append(f"CHANGELOG.md has nothing below '## {version} (date)'")
    elif not re.search(rf"^## {re.escape(version)} \(\d{{4}}-\d{{2}}-\d{{2}}\)$", changelog, re.M):
        faults.append(f"the heading of {version} in CHANGELOG.md has no date: '## {version} (2026-11-29)'")
    left = re.findall(r"^- ", section(changelog, "Unreleased") or "", re.M)
    if left:
        faults.append(f"CHANGELOG.md has {len(left)} entries below Unreleased, which this would release: move them")
    return faults
