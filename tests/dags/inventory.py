"""Which DAGs there are. A new one joins its set here, and `make docs` puts its page into the docs."""

TRAINING = {
    "call_sentiment_training",
    "chest_xray",
    "click_through",
    "lane_detection",
    "private_inference",
    "retail_assistant",
    "tyre_quality",
}
INGEST = {
    "ingest_calls",
    "ingest_chest_xray",
    "ingest_ctr_days",
    "ingest_documents",
    "ingest_edge_inputs",
    "ingest_faces",
    "ingest_lane_detection",
    "ingest_questions",
    "ingest_tyre_images",
}
OTHERS = {
    "call_sentiment",
    "data_subject_search",
    "documents",
    "documents_comparison",
    "drift_calls",
    "drift_chest",
    "drift_ctr",
    "drift_faces",
    "drift_lane",
    "drift_retail",
    "drift_tyre",
    "edge_inference",
    "gpu_projects",
    "model_report",
    "provision_ontap",
    "reclaim_space",
    "restore_dataset",
    "restore_experiment",
    "retail_conversations",
    "roll_back",
    "rotate_s3_keys",
    "storage_proof",
    "storage_service_level",
    "workspace",
}
AT_SITES = {
    "cache_dataset",
    "evict_caches",
    "fail_over",
    "replicate",
}
"""Only where config/sites.yaml has another site."""
AT_THE_EDGE = {"edge_inputs", "model_rollout"}
"""Only where config/edge_sites.yaml has a site."""
ON_KUBERNETES = {"jupyterlab"}
"""Only where config/compute.yaml has a place of kind kubernetes."""
EVERY = TRAINING | INGEST | OTHERS | AT_SITES | AT_THE_EDGE
