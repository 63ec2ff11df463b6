"""The short form of the chaos suite; ``make chaos`` is the long one."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.chaos import storm
from tests.chaos.plan import short_plan
from tests.product import running_product


@pytest.mark.timeout(300)
def test_every_promise_holds_while_each_service_and_a_server_are_killed(tmp_path: Path) -> None:
    seed = int(os.environ.get("AUTOS_CHAOS_SEED") or random.randrange(1_000_000))
    print(f"AUTOS_CHAOS_SEED={seed}")  # noqa: T201
    with running_product(tmp_path / "data", storm.SETTINGS) as product:
        print(storm.run(product, short_plan(seed), print, timeout=150))  # noqa: T201
        told = doctor(product.data_dir)
    assert told.returncode == 0, told.stdout + told.stderr
    assert "match" in told.stdout


def doctor(data_dir: Path) -> subprocess.CompletedProcess[str]:
    """``autos doctor --deep`` on the stack of a data directory."""
    environment = {**os.environ, "AUTOS_DATA_DIR": str(data_dir)}
    return subprocess.run(
        [sys.executable, "-m", "autos.main", "doctor", "--deep", "--hashes"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=environment,
    )
