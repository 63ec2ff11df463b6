"""The version of before: which commit it is, and its images."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
TAG: Final = "before"
# The state of 28 November 2026, for as long as no release has a tag.
_LAST_RELEASE: Final = "5fb25a24721e1aa3be783cab19c0477cf13225ce"
_TARGETS: Final = ("provision", "api", "downloader", "status", "notifier", "demo")
# Since this file is there the images are what they are today: one a service, with health checks.
_SINCE: Final = "deploy/build-images"
_BUILD_SECONDS: Final = 900.0


class NoHistory(Exception):
    """No commit of before is there. The message is one line."""


def commit_before() -> str:
    """The commit to upgrade from: AUTOS_UPGRADE_FROM, else the last release, else the oldest that has such images.

    Raises NoHistory in what is no repository of git, in a shallow clone, and for a commit that is not there.
    """
    named = os.environ.get("AUTOS_UPGRADE_FROM")
    if named:
        return _git("rev-parse", "--verify", f"{named}^{{commit}}")
    for words in (
        ("describe", "--tags", "--abbrev=0", "--match", "v[0-9]*", "HEAD^"),
        ("merge-base", _LAST_RELEASE, "HEAD"),
    ):
        try:
            return _git("rev-parse", "--verify", f"{_git(*words)}^{{commit}}")
        except NoHistory:
            continue
    shallow = _git("rev-parse", "--is-shallow-repository") == "true"
    added = _git("log", "--diff-filter=A", "--format=%H", "--", _SINCE).split()
    if shallow or not added or added[-1] == _git("rev-parse", "HEAD"):
        raise NoHistory("the history of this clone has no earlier version with images")
    return added[-1]


def build_images_of(commit: str, engine: Mapping[str, str]) -> None:
    """Build a commit's images by its own files, under the tag :data:`TAG`. Raises AssertionError with the output."""
    with tempfile.TemporaryDirectory(prefix="autos-before-") as folder:
        archive = subprocess.run(["git", "archive", commit], cwd=ROOT, capture_output=True, check=True).stdout
        subprocess.run(["tar", "-x", "-C", folder], input=archive, check=True)
        done = subprocess.run(
            ["deploy/build-images", *_TARGETS],
            cwd=folder,
            env={**os.environ, **engine, "AUTOS_VERSION": TAG, "AUTOS_STAND_INS": "yes"},
            capture_output=True,
            text=True,
            timeout=_BUILD_SECONDS,
            check=False,
        )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise NoHistory((done.stderr.strip().splitlines() or ["git failed"])[-1])
    return done.stdout.strip()
