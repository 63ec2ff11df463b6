"""``python -m tools.kubernetes.extract FOLDER``: write schemas.json anew from the unpacked package kubernetes-validate.

The package (Apache-2.0) has the strict schemas of every version of Kubernetes in 100 MB; what the manifests use of the
newest is 50 kB. Texts are left out, and the parts of a pod that no manifest may use. The schemas of KEDA's two kinds
are not in it: they are written by hand in keda.json, after the CRDs of KEDA 2.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final

from tools.references import references

HERE: Final = Path(__file__).parent
VERSION: Final = "1.37.0"
KINDS: Final = {
    "apps/v1": ("io.k8s.api.apps.v1", ("Deployment", "StatefulSet")),
    "batch/v1": ("io.k8s.api.batch.v1", ("Job",)),
    "v1": ("io.k8s.api.core.v1", ("Service", "ConfigMap", "Namespace", "Secret")),
    "policy/v1": ("io.k8s.api.policy.v1", ("PodDisruptionBudget",)),
    "autoscaling/v2": ("io.k8s.api.autoscaling.v2", ("HorizontalPodAutoscaler",)),
    "networking.k8s.io/v1": ("io.k8s.api.networking.v1", ("NetworkPolicy", "Ingress")),
}
_LEFT_OUT: Final = {
    "io.k8s.api.core.v1.PodSpec": ("ephemeralContainers", "affinity", "overhead", "resourceClaims"),
    "io.k8s.api.apps.v1.StatefulSetSpec": ("volumeClaimTemplates",),
}
_VOLUMES: Final = ("name", "emptyDir", "configMap", "secret", "projected")


def main(folder: Path) -> None:
    """``folder`` holds ``kubernetes_validate``, as the wheel does."""
    place = folder / "kubernetes_validate" / "kubernetes-json-schema" / f"v{VERSION}-local-strict"
    definitions = json.loads((place / "_definitions.json").read_text())["$defs"]
    kinds = {f"{version} {kind}": f"{group}.{kind}" for version, (group, names) in KINDS.items() for kind in names}
    found: dict[str, Any] = {}
    waiting = list(kinds.values())
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        one = found[name] = _bare(definitions[name])
        if name in kinds.values():
            one["properties"].pop("status", None)
        for field in _LEFT_OUT.get(name, ()):
            one["properties"].pop(field, None)
        if name == "io.k8s.api.core.v1.Volume":
            one["properties"] = {field: one["properties"][field] for field in _VOLUMES}
        waiting += [reference.removeprefix("#/$defs/") for reference in references(one)]
    text = json.dumps({"version": VERSION, "kinds": kinds, "$defs": dict(sorted(found.items()))}, separators=(",", ":"))
    (HERE / "schemas.json").write_text(text + "\n")


def _bare(value: Any) -> Any:
    """Without descriptions and extensions; references are to the same file."""
    if isinstance(value, list):
        return [_bare(one) for one in value]
    if not isinstance(value, dict):
        return value
    kept = {
        name: one
        for name, one in value.items()
        if not name.startswith("x-kubernetes") and not (name == "description" and isinstance(one, str))
    }
    return {
        name: f"#/$defs/{one.rpartition('/$defs/')[2]}" if name == "$ref" else _bare(one) for name, one in kept.items()
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]))
