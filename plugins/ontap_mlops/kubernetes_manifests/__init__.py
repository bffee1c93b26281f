"""Manifests as pure functions from values: what is made on a Kubernetes cluster, without a cluster."""
