"""``python -m tools.kubernetes``: hold deploy/kubernetes, as rendered, against the schemas of Kubernetes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import yaml

from tools.kubernetes.render import NotRendered, read, render
from tools.kubernetes.schemas import Schemas

FOLDER: Final = Path(__file__).parents[2] / "deploy" / "kubernetes"
OVERLAYS: Final = ("base", "single-node", "production")


def problems() -> list[str]:
    """A line for each fault."""
    schemas = Schemas()
    found = []
    for overlay in OVERLAYS:
        try:
            resources = render(FOLDER / overlay)
        except (NotRendered, KeyError, yaml.YAMLError) as error:
            found.append(f"{overlay}: {error}")
            continue
        found += [f"{overlay}: {fault}" for one in resources for fault in schemas.faults(one)]
    template = FOLDER / "secrets.template.yaml"
    return found + [f"{template.name}: {fault}" for one in read(template) for fault in schemas.faults(one)]


if __name__ == "__main__":
    faults = problems()
    for line in faults:
        sys.stderr.write(f"deploy/kubernetes/{line}\n")
    sys.exit(1 if faults else 0)
