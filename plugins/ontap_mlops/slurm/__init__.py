"""Slurm by its commands, on this host or over SSH. Knows no Airflow and no workloads."""
