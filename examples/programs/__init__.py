"""Programs of the examples: `python -m programs.count FOLDER`. They know neither Airflow nor ONTAP."""
