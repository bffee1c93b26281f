"""The only code that speaks to Kubernetes' API; no Airflow."""
