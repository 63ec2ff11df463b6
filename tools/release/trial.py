"""The wheel in an empty place: an environment of its own with its packages from the index, and one run of the demo."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

_INSTALL_SECONDS: Final = 900
_DEMO_SECONDS: Final = 300


def try_wheel(wheel: Path, place: Path, constraints: Path, *, demo: bool) -> str:
    """Install ``wheel`` with its extra into ``place`` and run it there; what its last command said in one line.

    Nothing of the checkout is found there. Raises CalledProcessError.
    """
    environment = place / "environment"
    uv = [sys.executable, "-m", "uv"]
    _run([*uv, "venv", "--quiet", "--python", sys.executable, str(environment)], place, _INSTALL_SECONDS)
    install = [*uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", str(environment)]
    _run([*install, "--constraint", str(constraints), f"{wheel}[local]"], place, _INSTALL_SECONDS)
    empty = place / "empty"
    empty.mkdir()
    command = str(environment / "bin" / "autos")
    said = _run([command, "--version"], empty, 60)
    if demo:
        said = _run([command, "demo"], empty, _DEMO_SECONDS)
    return said.strip().splitlines()[-1]


def _run(command: list[str], folder: Path, seconds: float) -> str:
    ours = ("AUTOS_", "PYTHON", "VIRTUAL_ENV")
    kept = ("AUTOS_CACHE_DIR", "AUTOS_MAVEN_MIRROR")
    environ = {name: value for name, value in os.environ.items() if name in kept or not name.startswith(ours)}
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, timeout=seconds, check=True)
    return done.stdout
