"""The manifests of deploy/kubernetes: rendered as kustomize does, and held against the schemas of Kubernetes.

``python -m tools.kubernetes`` is part of ``make check``. Neither a cluster nor kubectl is needed: ``render`` knows the
part of kustomize that the manifests use, ``schemas`` is strict, ``extract`` writes the schemas anew for a new version.
"""
