"""A program that was started for another user reaches its files wherever they are, and may do no more than that."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from autos.local import launch

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="only root on Linux starts programs for other users"
)
NOBODY = 65534


def test_a_program_in_a_folder_of_root_is_found_by_who_looks_with_access(tmp_path: Path) -> None:
    """As initdb does; an environment of uvx is below /root, which only root may enter."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    program = closed / "program"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    look = 'id -u; grep -E "Cap(Prm|Eff|Amb)" /proc/self/status; test -x "$1" && echo found'
    command = ["/bin/sh", "-c", look, "sh", str(program)]
    started = [sys.executable, "-I", "-S", launch.__file__, str(int(signal.SIGTERM)), f"{NOBODY}:{NOBODY}", *command]
    done = subprocess.run(started, capture_output=True, text=True, timeout=30, check=True)
    user, *capabilities, found = done.stdout.splitlines()
    assert (user, found) == (str(NOBODY), "found")
    # CAP_DAC_OVERRIDE and no other.
    assert {int(re.split(r"\s+", line)[1], 16) for line in capabilities} == {2}
