"""Tutorials and guides: their blocks, run as they stand, lead where the pages say, in English and in Portuguese.

They all run at the same time, on one product: most of it is waiting.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import time
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from autos.local.ports_and_secrets import free_port
from shared.domain.cnj import ProcessNumber
from tests.e2e.journey import new_key
from tests.guides import SECONDS, start
from tests.product import Product


@dataclass(frozen=True)
class Run:
    """Pages that are run one after the other, and the program that receives webhooks where a page has two."""

    pages: tuple[str, ...]
    receiver: str = ""

    def __str__(self) -> str:
        return " ".join((self.pages[-1], *self.receiver.split()[:1]))


ENGLISH: Final = Run(("tutorial/first-case", "tutorial/first-webhook"))
PORTUGUESE: Final = Run(("tutorial/first-case.pt-BR", "tutorial/first-webhook.pt-BR"))
INTEGRATE: Final = (
    Run(("guides/integrate",), "python3 receiver.py"),
    Run(("guides/integrate",), "node receiver.mjs"),
    Run(("guides/integrate.pt-BR",), "python3 receptor.py"),
    Run(("guides/integrate.pt-BR",), "node receptor.mjs"),
)
BREAK: Final = Run(("how-to/break-it",))
BACK_UP: Final = Run(("how-to/back-up-and-restore",))
VERIFY: Final = Run(("how-to/verify",))
SECURE: Final = Run(("how-to/secure", "how-to/traces"))
RUNS: Final = (ENGLISH, PORTUGUESE, *INTEGRATE, BREAK, BACK_UP, VERIFY, SECURE)


@dataclass(frozen=True)
class Ended:
    folder: Path
    number: str
    output: str


@pytest.fixture(scope="module")
def ended(
    product: Product, process_number: Callable[[], ProcessNumber], tmp_path_factory: pytest.TempPathFactory
) -> Mapping[Run, Ended]:
    """What the blocks of each page said. A page that fails does not hide what the others did."""
    missing = [program for program in ("bash", "curl") if shutil.which(program) is None]
    if missing:
        pytest.skip(f"needs {', '.join(missing)}")
    root, numbers, running = tmp_path_factory.mktemp("guides"), {}, {}
    for place, run in enumerate(run for run in RUNS if is_there(run)):
        number = numbers[run] = str(process_number())
        product.simulator.put_case(ProcessNumber(number), documents=3, size=4_000)
        # A client of its own, as a newcomer is one.
        key = new_key(product, f"guide-{number}", ("read", "download", "webhooks"))
        given = {
            "API": product.api_url,
            "KEY": key,
            "NUMBER": number,
            "PORT": str(free_port()),
            "RECEIVER": run.receiver,
        }
        running[run] = start(root / str(place), run.pages, product.data_dir, given)
    deadline = time.monotonic() + SECONDS
    try:
        for process in running.values():
            process.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        pass
    finally:
        for process in running.values():
            process.terminate()
            process.wait()
    found = {}
    for place, (run, process) in enumerate(running.items()):
        said = (root / str(place) / "output").read_text(encoding="utf-8", errors="replace")
        found[run] = Ended(root / str(place), numbers[run], f"{said}\nstatus {process.returncode}")
    return found


def is_there(run: Run) -> bool:
    return not run.receiver or shutil.which(run.receiver.split()[0]) is not None


def good(ended: Mapping[Run, Ended], run: Run) -> Ended:
    if not is_there(run):
        pytest.skip(f"needs {run.receiver.split()[0]}")
    assert ended[run].output.endswith("\nstatus 0"), ended[run].output[-3000:]
    return ended[run]


@pytest.mark.parametrize(
    ("run", "archive", "verified"),
    [(ENGLISH, "case.zip", "verified:"), (PORTUGUESE, "processo.zip", "verificado:")],
    ids=str,
)
def test_the_tutorial_leads_a_stranger_to_a_verified_webhook(
    run: Run, archive: str, verified: str, ended: Mapping[Run, Ended]
) -> None:
    found = good(ended, run)
    assert '{"processes":[],"next_cursor":null}' in found.output
    assert "event: completed" in found.output and "manifest.json" in found.output
    assert "\n401\n" in found.output, "the forged call was not refused"
    assert f"\n{verified} process.completed " in found.output
    assert '"status": "delivered"' in found.output
    assert (found.folder / archive).stat().st_size > 0


@pytest.mark.parametrize("run", INTEGRATE, ids=str)
def test_the_guide_leads_to_a_verified_webhook_and_a_document(run: Run, ended: Mapping[Run, Ended]) -> None:
    found = good(ended, run)
    portuguese = "pt-BR" in run.pages[0]
    assert '"succeeded":true' in found.output and '"status":"ok"' in found.output
    verified = "verificado" if portuguese else "verified"
    assert f"{verified} process.completed {found.number} completed" in found.output
    assert (found.folder / ("documento" if portuguese else "document")).stat().st_size > 0
    with zipfile.ZipFile(found.folder / ("processo.zip" if portuguese else "case.zip")) as archive:
        assert len(archive.namelist()) == 4


def test_a_killed_downloader_loses_nothing(ended: Mapping[Run, Ended]) -> None:
    assert "\ncompleted " in f"\n{good(ended, BREAK).output}"


def test_a_backup_is_restored_and_looked_at(ended: Mapping[Run, Ended]) -> None:
    found = good(ended, BACK_UP)
    assert (found.folder / "autos.dump").stat().st_size > 0
    assert "ROLE autos_api" in (found.folder / "roles.sql").read_text()


def test_files_are_verified_against_a_signed_manifest(ended: Mapping[Run, Ended]) -> None:
    found = good(ended, VERIFY)
    assert "signature" in json.loads((found.folder / "files" / "manifest.json").read_text())["signed"]
    assert "signature" in json.loads((found.folder / "manifest.json").read_text())


def test_rights_are_printed(ended: Mapping[Run, Ended]) -> None:
    found = good(ended, SECURE)
    assert "kafka-acls.sh" in found.output and "s3:GetObject" in found.output
