"""What services of docker-compose.yaml run in their containers: secrets, databases, Airflow's first rows, health."""
