"""ONTAP's REST side of S3: the S3 server of an SVM, its users, groups, policies and buckets."""
