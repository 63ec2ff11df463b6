"""What an image holds, read out of the image itself: the packages of Python and of Debian, and its labels."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from typing import Final

_SECONDS: Final = 120.0

# Runs in the image, which has Python and nothing of ours that would be needed; sys.path leads to /opt/autos.
_LOOK: Final = """
import importlib.metadata, json, pathlib, platform
python = sorted(
    (one.metadata["Name"], one.version, one.metadata["License-Expression"])
    for one in importlib.metadata.distributions()
)
debian = []
for block in pathlib.Path("/var/lib/dpkg/status").read_text(errors="replace").split("\\n\\n"):
    fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line and not line.startswith(" "))
    if fields.get("Status") == "install ok installed":
        debian.append((fields["Package"], fields["Version"], fields["Architecture"]))
system = platform.freedesktop_os_release()
print(json.dumps({
    "python": python, "debian": sorted(debian), "distro": system["ID"] + "-" + system["VERSION_ID"],
    "interpreter": platform.python_version(),
}))
"""


@dataclass(frozen=True)
class PythonPackage:
    """A distribution in /opt/autos. ``license`` is an SPDX expression where its metadata has one."""

    name: str
    version: str
    license: str | None


@dataclass(frozen=True)
class DebianPackage:
    """A package of the base, as dpkg lists it."""

    name: str
    version: str
    architecture: str


@dataclass(frozen=True)
class ImageContents:
    """Everything that the bill of one image says."""

    image: str
    """Its name without the tag."""
    image_id: str
    version: str
    revision: str
    interpreter: str
    """The version of Python."""
    distro: str
    """As package URLs write it: debian-13."""
    python: tuple[PythonPackage, ...]
    debian: tuple[DebianPackage, ...]


def read_image(name: str) -> ImageContents:
    """Look into an image that the engine has. Raises CalledProcessError where there is none or it cannot run."""
    (described,) = json.loads(_docker("image", "inspect", name))
    found = json.loads(_docker("run", "--rm", "--network", "none", "--entrypoint", "python", name, "-c", _LOOK))
    labels = described["Config"]["Labels"] or {}
    return ImageContents(
        image=name.partition(":")[0],
        image_id=described["Id"],
        version=labels.get("org.opencontainers.image.version", "unknown"),
        revision=labels.get("org.opencontainers.image.revision", "unknown"),
        interpreter=found["interpreter"],
        distro=found["distro"],
        python=tuple(PythonPackage(*package) for package in found["python"]),
        debian=tuple(DebianPackage(*package) for package in found["debian"]),
    )


def _docker(*arguments: str) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=True, timeout=_SECONDS)
    return done.stdout
