"""What the hub knows: read from ONTAP, MLflow and Airflow, each answer kept with its date."""
