"""Which DAGs there are. A new one joins its set here, and `make docs` puts its page into the docs."""

TRAINING = {
    "click_through",
    "tyre_quality",
}
INGEST = {
    "ingest_ctr_days",
    "ingest_tyre_images",
}
OTHERS = {
    "cache_dataset",
    "evict_caches",
    "provision_ontap",
    "reclaim_space",
    "restore_dataset",
    "roll_back",
    "rotate_s3_keys",
    "storage_service_level",
    "workspace",
}
EVERY = TRAINING | INGEST | OTHERS
