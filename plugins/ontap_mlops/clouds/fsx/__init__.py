"""Amazon FSx for NetApp ONTAP, through boto3: file systems, SVMs, volumes, S3 access points and backups."""
