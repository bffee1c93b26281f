"""Who is who across protocols: local UNIX users, and mappings from S3 (and other) names to them."""
