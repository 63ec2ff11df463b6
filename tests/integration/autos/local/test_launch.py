"""A program that was started for another user reaches its files wherever they are, and may do no more than that."""

from __future__ import annotations

import os
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
    look = (
        "import os, re, sys; print(os.getuid()); print(os.access(sys.argv[1], os.X_OK));"
        " print(*re.findall(r'Cap(?:Prm|Eff|Amb):\\s+(\\w+)', open('/proc/self/status').read()))"
    )
    command = [sys.executable, "-I", "-c", look, str(program)]
    started = [sys.executable, "-I", "-S", launch.__file__, str(int(signal.SIGTERM)), f"{NOBODY}:{NOBODY}", *command]
    done = subprocess.run(started, capture_output=True, text=True, timeout=150, check=True)
    user, found, capabilities = done.stdout.splitlines()
    assert (user, found) == (str(NOBODY), "True")
    # CAP_DAC_OVERRIDE and no other.
    assert {int(one, 16) for one in capabilities.split()} == {2}
