"""Where the services are that the embedded stack runs: beside this package in a checkout, inside of it in a wheel.

A wheel has them in ``autos/_product``, so that no environment gets packages that are called ``shared`` or ``services``
(docs/adr/0045-whole-wheel.md). Nothing outside of this command finds them there.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

PLACE: Final = Path(__file__).with_name("_product")


def in_wheel() -> bool:
    """Whether this was installed from a wheel."""
    return PLACE.is_dir()


def make_importable() -> None:
    """Let this process and those that it starts find the services of the wheel; in a checkout they do already.

    What is in the current folder under such a name is not taken for them (PYTHONSAFEPATH).
    """
    if not in_wheel():
        return
    sys.path.insert(0, str(PLACE))
    others = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = f"{PLACE}{os.pathsep}{others}" if others else str(PLACE)
    os.environ["PYTHONSAFEPATH"] = "1"
