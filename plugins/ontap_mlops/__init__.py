"""Airflow provider for machine-learning pipelines on NetApp ONTAP: versions, workspaces, workloads, deployments."""

__version__ = "0.1.0"
