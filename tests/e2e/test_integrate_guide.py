"""docs/guides/integrate.md: its blocks, run as they stand, lead from a key to a verified webhook and a document."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from autos.local.ports_and_secrets import free_port
from ops import clients
from shared.domain.cnj import ProcessNumber
from tests.product import Product

GUIDE: Final = Path(__file__).parents[2] / "docs" / "guides" / "integrate.md"
_BLOCK: Final = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.M | re.S)


@pytest.mark.parametrize("receiver", ["python", "node"])
def test_the_blocks_lead_to_a_verified_webhook(
    receiver: str, product: Product, process_number: Callable[[], ProcessNumber], tmp_path: Path
) -> None:
    command = {"python": f"{sys.executable} receiver.py", "node": "node receiver.mjs"}[receiver]
    missing = [program for program in ("bash", "curl", command.split()[0]) if shutil.which(program) is None]
    if missing:
        pytest.skip(f"needs {', '.join(missing)}")
    number = process_number()
    product.simulator.put_case(number, documents=3, size=4_000)
    # A client of its own, as a newcomer is one.
    scopes = ("read", "download", "webhooks")
    _, key = clients.create_key(product.stack()["database_url"], f"guide-{number}", name="guide", scopes=scopes)
    script = ["set -euo pipefail", "trap 'kill \"${RECEIVER_PID:-}\" 2>/dev/null || true' EXIT"]
    for language, name, text in _BLOCK.findall(GUIDE.read_text(encoding="utf-8")):
        if name:
            (tmp_path / name).write_text(text, encoding="utf-8")
        elif language == "bash":
            script.append(text)
    (tmp_path / "guide.sh").write_text("\n".join(script), encoding="utf-8")
    given = {"API": product.api_url, "KEY": key, "NUMBER": str(number), "PORT": str(free_port()), "RECEIVER": command}
    environment = {name: value for name, value in os.environ.items() if name.lower() not in {"http_proxy", "all_proxy"}}
    ended = subprocess.run(
        ["bash", "guide.sh"],
        cwd=tmp_path,
        env={**environment, **given},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-3000:] + ended.stdout[-3000:]
    assert '"succeeded":true' in ended.stdout and '"status":"ok"' in ended.stdout
    assert f"verified process.completed {number} completed" in ended.stdout
    assert (tmp_path / "document").stat().st_size > 0
    with zipfile.ZipFile(tmp_path / "case.zip") as archive:
        assert len(archive.namelist()) == 4
