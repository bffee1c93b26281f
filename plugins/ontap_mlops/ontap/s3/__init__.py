"""ONTAP's S3 server: one per SVM, its users, groups and policies, and buckets over folders of the namespace."""

from ontap_mlops.ontap.s3.accounts import FULL_ACCESS, Keys, ensure_group, ensure_policy, ensure_user
from ontap_mlops.ontap.s3.buckets import Bucket, delete_bucket, ensure_nas_bucket, find_bucket
from ontap_mlops.ontap.s3.server import Service, endpoint_url, ensure_service, service

__all__ = [
    "FULL_ACCESS",
    "Bucket",
    "Keys",
    "Service",
    "delete_bucket",
    "endpoint_url",
    "ensure_group",
    "ensure_nas_bucket",
    "ensure_policy",
    "ensure_service",
    "ensure_user",
    "find_bucket",
    "service",
]
