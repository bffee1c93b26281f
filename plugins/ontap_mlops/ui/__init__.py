"""The data hub: what is known of data, caches, models, storage and runs, as pages inside Airflow, JSON and MCP."""

PREFIX = "/ontap"
"""Path of the hub below Airflow's."""
