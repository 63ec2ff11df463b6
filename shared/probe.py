"""Whether a process of Autos is well, for a container's health check: ``python -m shared.probe ADDRESS``.

The status is 0 when the address answers with 200, else 1. In an answer of metrics (``/metrics``) each heartbeat must
be young, too: that the port answers says only that the process lives.
"""

from __future__ import annotations

import re
import sys
import urllib.request
from typing import Final

OLDEST_SECONDS: Final = 60.0
"""Seconds that an event loop or a poll thread may be silent. A rebalance may take half of it."""
_TIMEOUT_SECONDS: Final = 4.0
_HEARTBEAT: Final = re.compile(r"^(autos_\w+_heartbeat_age_seconds(?:\{[^}]*\})?) (\S+)$", re.MULTILINE)


def silent(metrics: str, oldest: float = OLDEST_SECONDS) -> list[str]:
    """The heartbeats in a text of metrics that are older than that, with their labels."""
    return [name for name, age in _HEARTBEAT.findall(metrics) if not float(age) <= oldest]


def main(arguments: list[str]) -> int:
    """Print what is wrong with the process at the address, if anything. Status 0: well; 1: silent or away; 2: wrong
    usage.
    """
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m shared.probe ADDRESS\n")
        return 2
    try:
        with urllib.request.urlopen(arguments[0], timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310 - our own address
            text = answer.read().decode()
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{arguments[0]} does not answer: {error}\n")
        return 1
    if late := silent(text):
        sys.stderr.write(f"silent for more than {OLDEST_SECONDS:g} s: {', '.join(late)}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
