"""The pipeline kit: what every training pipeline has, made of ordinary Airflow parts."""
