"""``python -m tools.release VERSION``: everything of a release but its publication."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tools.release.build import NotReproducible, build_packages, write_bill, write_sums
from tools.release.checks import changelog_faults, section, version_faults, versions_said
from tools.release.trial import try_wheel

ROOT: Final = Path(__file__).parents[2]
_GENERATED: Final = ("tools.schemas", "tools.reference", "tools.monitoring")


class Refused(Exception):
    """Raised when something stands in the way of the release; the text has a line for each."""


def main(arguments: Sequence[str]) -> int:
    """Make the release in build/release/VERSION; nothing leaves this machine. The exit status."""
    parser = argparse.ArgumentParser(prog="make release VERSION=x.y.z")
    parser.add_argument("version")
    parser.add_argument("--no-demo", action="store_true", help="install the wheel, and do not run its demo")
    parser.add_argument("--no-images", action="store_true", help="build no images although an engine answers")
    parser.add_argument("--tag", action="store_true", help="make the tag too; it is not pushed")
    wanted = parser.parse_args(arguments)
    try:
        folder = _release(wanted)
    except (Refused, NotReproducible) as refused:
        sys.stderr.write(f"{refused}\n")
        return 1
    except subprocess.CalledProcessError as failed:
        what = failed.cmd if isinstance(failed.cmd, str) else " ".join(map(str, failed.cmd))
        sys.stderr.write(f"{what} failed:\n{failed.stdout or ''}{failed.stderr or ''}\n")
        return 1
    _say(f"the release is in {folder.relative_to(ROOT)}; nothing was published")
    if not wanted.tag:
        notes = folder.relative_to(ROOT) / "NOTES.md"
        # Without verbatim, git takes headings for comments.
        _say(f"to tag it: git tag -a v{wanted.version} --cleanup=verbatim -F {notes}")
    return 0


def _release(wanted: argparse.Namespace) -> Path:
    """Check, build, try and list one version; the folder with its files. Raises Refused with every fault found."""
    version: str = wanted.version
    changelog = (ROOT / "CHANGELOG.md").read_text()
    faults = [*version_faults(version, versions_said(ROOT)), *changelog_faults(changelog, version), *_tree_faults()]
    if faults:
        raise Refused("\n".join(faults))
    _say(f"version {version}, its changelog and the tree are in order")
    for module in _GENERATED:
        subprocess.run([sys.executable, "-m", module, "--check"], cwd=ROOT, check=True, capture_output=True, text=True)
    _say("schemas and generated pages are current")
    folder = ROOT / "build" / "release" / version
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    packages = build_packages(ROOT, folder, _git("log", "-1", "--format=%ct"))
    _say(f"built twice and the same: {', '.join(path.name for path in packages)}")
    [wheel] = folder.glob("*.whl")
    with tempfile.TemporaryDirectory(prefix="autos-release-") as place:
        said = try_wheel(wheel, Path(place), _constraints(Path(place)), demo=not wanted.no_demo)
    _say(f"the wheel in an empty environment: {said}")
    _docs(folder, version)
    bill = write_bill(ROOT, version, folder)
    _say(f"{bill.name} lists its packages")
    _images(folder, version, skip=wanted.no_images)
    (folder / "NOTES.md").write_text(f"# Autos {version}\n\n{section(changelog, version)}\n")
    write_sums(folder)
    if wanted.tag:
        _git("tag", "-a", f"v{version}", "-F", str(folder / "NOTES.md"), "--cleanup=verbatim")
        _say(f"tagged v{version}, not pushed")
    return folder


def _constraints(place: Path) -> Path:
    """requirements/local.txt without its hashes: with them, the wheel itself would need one."""
    lines = (ROOT / "requirements" / "local.txt").read_text().splitlines()
    pins = (line.rstrip(" \\") for line in lines if not line.startswith(" "))
    path = place / "constraints.txt"
    path.write_text("".join(f"{pin}\n" for pin in pins))
    return path


def _tree_faults() -> list[str]:
    changed = _git("status", "--porcelain").splitlines()
    return [f"the tree is not clean: {len(changed)} files differ from the commit, as {changed[0]}"] if changed else []


def _docs(folder: Path, version: str) -> None:
    """The documentation site, where there is a target for it; it leaves the site in build/docs."""
    if subprocess.run(["make", "--dry-run", "docs"], cwd=ROOT, capture_output=True, check=False).returncode != 0:
        _say("no documentation site: there is no target `docs`")
        return
    subprocess.run(["make", "--no-print-directory", "docs"], cwd=ROOT, check=True, capture_output=True, text=True)
    site = ROOT / "build" / "docs"
    if site.is_dir():
        shutil.make_archive(str(folder / f"autos-docs-{version}"), "gztar", site)
    _say("the documentation site is built")


def _images(folder: Path, version: str, *, skip: bool) -> None:
    """Images and their bills, where an engine answers."""
    engine = shutil.which("docker")
    answers = engine and subprocess.run([engine, "info"], capture_output=True, check=False).returncode == 0
    if skip or not answers:
        _say(f"images: skipped, {'as asked' if skip else 'no Docker engine answers'}")
        return
    tagged = {**os.environ, "AUTOS_VERSION": version}
    for command in (["deploy/build-images"], [sys.executable, "-m", "tools.sbom"]):
        subprocess.run(command, cwd=ROOT, env=tagged, check=True, capture_output=True, text=True)
    for bill in (ROOT / "build" / "sbom").glob("*.cdx.json"):
        shutil.copy(bill, folder)
    _say(f"images autos-*:{version} and their bills are built")


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
