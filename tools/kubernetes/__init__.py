"""The manifests of deploy/kubernetes: rendered as kustomize does, and held against the schemas of Kubernetes."""
