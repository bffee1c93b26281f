"""Azure NetApp Files, through azure-mgmt-netapp: accounts, capacity pools, volumes and snapshots."""
