"""Airflow provider for machine-learning pipelines on NetApp ONTAP: dataset versions, workspaces, workloads, deployments."""

__version__ = "0.1.0"
