"""GPU projects: quotas as ``projects.yaml`` says them, given to schedulers and read back as use. Knows no Airflow."""
