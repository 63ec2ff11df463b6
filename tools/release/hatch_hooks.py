"""What Hatchling cannot read from pyproject.toml: the product inside the wheel, and its pinned packages as an extra.

Loaded by path while a wheel is built or installed, with the standard library and Hatchling alone.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.metadata.plugin.interface import MetadataHookInterface

PRODUCT: Final = ("ops", "services", "shared", "sources")
"""The folders besides ``autos`` that the embedded stack runs."""
PLACE: Final = "autos/_product"
"""Where they are in the wheel: nobody's environment gets packages of such names (docs/adr/0045-whole-wheel.md)."""
_PIN: Final = re.compile(r"^([\w.\[\],-]+==[^\s;]+)(?: ; ([^\\]+?))? ?\\?$")
TO_BUILD: Final = frozenset({"editables", "hatchling", "pathspec", "pluggy", "trove-classifiers"})
"""Pinned for installing a checkout; what is installed from a wheel needs none of them."""


def pinned(requirements: str) -> list[str]:
    """The packages of a compiled set of requirements, with their versions and markers and without their hashes."""
    found = (_PIN.match(line) for line in requirements.splitlines())
    pins = [(match[1], match[2]) for match in found if match is not None]
    return [f"{pin} ; {marker}" if marker else pin for pin, marker in pins if pin.partition("==")[0] not in TO_BUILD]


class ProductInWheel(BuildHookInterface):  # type: ignore[type-arg]
    """Puts the product's folders into a wheel. An editable install finds them in the checkout."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """``version`` is ``standard`` or ``editable``."""
        if version == "standard" and self.target_name == "wheel":
            build_data["force_include"].update({name: f"{PLACE}/{name}" for name in PRODUCT})


class PinnedExtra(MetadataHookInterface):
    """Makes the extra ``local`` of requirements/local.txt, so that it is what the tests ran with."""

    PLUGIN_NAME = "custom"

    def update(self, metadata: dict[str, Any]) -> None:
        """The other extras stand in pyproject.toml, as the hook's configuration."""
        lock = Path(self.root) / "requirements" / "local.txt"
        metadata["optional-dependencies"] = {**self.config["extras"], "local": pinned(lock.read_text())}
