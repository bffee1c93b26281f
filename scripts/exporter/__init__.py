"""A service for Prometheus: ``python -m scripts.exporter --folder .local/workloads``."""
