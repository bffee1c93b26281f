"""Google Cloud NetApp Volumes, through google-cloud-netapp: storage pools, volumes, snapshots and replications."""
