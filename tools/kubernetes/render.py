"""What `kubectl kustomize FOLDER` gives, as far as deploy/kubernetes uses kustomize; pure but for reading the files.

Of a kustomization: ``resources`` (files, and folders with one of their own), ``namespace``, ``images`` (newName and
newTag), ``replicas``, and ``patches`` of operations (RFC 6902: add, replace, remove) with a target by kind and name.
Anything else is an error: it would be rendered otherwise than by kubectl, with which a test compares.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any, Final

import yaml

_KNOWN: Final = frozenset({"apiVersion", "kind", "namespace", "resources", "images", "replicas", "patches"})
_WITHOUT_NAMESPACE: Final = frozenset({"Namespace"})
_WITH_PODS: Final = frozenset({"Deployment", "StatefulSet", "Job"})
_SCALED: Final = frozenset({"Deployment", "StatefulSet"})


class NotRendered(ValueError):
    """The kustomization has something that this module does not know; the text says where."""


def read(path: Path) -> list[dict[str, Any]]:
    """The documents of a file. Raises yaml.YAMLError."""
    return [one for one in yaml.safe_load_all(path.read_text()) if one]


def render(folder: Path) -> list[dict[str, Any]]:
    """The resources of a folder's kustomization.yaml. Raises NotRendered, OSError, yaml.YAMLError."""
    (kustomization,) = read(folder / "kustomization.yaml")
    if unknown := sorted(set(kustomization) - _KNOWN):
        raise NotRendered(f"{folder}/kustomization.yaml: {', '.join(unknown)}")
    found: list[dict[str, Any]] = []
    for name in kustomization["resources"]:
        place = folder / name
        found += render(place.resolve()) if place.is_dir() else read(place)
    found = copy.deepcopy(found)
    for patch in kustomization.get("patches", ()):
        _patch(found, patch, folder)
    for one in found:
        if "namespace" in kustomization:
            _put_into(one, kustomization["namespace"])
        _set_images(one, kustomization.get("images", ()))
        for wanted in kustomization.get("replicas", ()):
            if one["kind"] in _SCALED and one["metadata"]["name"] == wanted["name"]:
                one["spec"]["replicas"] = wanted["count"]
    return found


def _put_into(one: dict[str, Any], namespace: str) -> None:
    if one["kind"] in _WITHOUT_NAMESPACE:
        one["metadata"]["name"] = namespace
    else:
        one["metadata"]["namespace"] = namespace


def _set_images(one: dict[str, Any], images: Any) -> None:
    if one["kind"] not in _WITH_PODS:
        return
    by_name = {image["name"]: image for image in images}
    for container in one["spec"]["template"]["spec"]["containers"]:
        if image := by_name.get(container["image"]):
            container["image"] = f"{image.get('newName', image['name'])}:{image['newTag']}"


def _patch(found: list[dict[str, Any]], patch: dict[str, Any], folder: Path) -> None:
    target = patch["target"]
    operations = yaml.safe_load(patch["patch"])
    if not isinstance(operations, list) or not set(target) <= {"kind", "name"}:
        raise NotRendered(f"{folder}/kustomization.yaml: a patch that is no list of operations, or its target")
    fitting = [
        one
        for one in found
        if one["kind"] == target["kind"] and target.get("name", one["metadata"]["name"]) == one["metadata"]["name"]
    ]
    if not fitting:
        raise NotRendered(f"{folder}/kustomization.yaml: a patch for {target}, and there is none")
    for one in fitting:
        for operation in operations:
            _operate(one, operation)


def _operate(one: dict[str, Any], operation: dict[str, Any]) -> None:
    """One operation of a JSON patch (RFC 6902), with paths of RFC 6901. Raises NotRendered for other kinds."""
    *way, last = [part.replace("~1", "/").replace("~0", "~") for part in operation["path"].split("/")[1:]]
    place: Any = one
    for part in way:
        place = place[int(part)] if isinstance(place, list) else place[part]
    key: Any = int(last) if isinstance(place, list) and last != "-" else last
    if operation["op"] == "add" and last == "-":
        place.append(operation["value"])
    elif operation["op"] == "add" and isinstance(place, list):
        place.insert(key, operation["value"])
    elif operation["op"] == "add":
        place[key] = operation["value"]
    elif operation["op"] == "replace":
        place[key]  # must be there (RFC 6902, section 4.3)
        place[key] = operation["value"]
    elif operation["op"] == "remove":
        del place[key]
    else:
        raise NotRendered(f"the operation {operation['op']}")
