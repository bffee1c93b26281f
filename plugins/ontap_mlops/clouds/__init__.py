"""Storage services beside ONTAP's own interface: plain functions over each service's client. No Airflow."""
