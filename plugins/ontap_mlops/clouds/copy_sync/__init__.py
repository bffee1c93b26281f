"""NetApp (BlueXP) Copy and Sync: relationships between two places of files or objects, run by its data brokers."""
