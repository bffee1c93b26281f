"""Workloads as Jobs of a Kubernetes cluster."""
