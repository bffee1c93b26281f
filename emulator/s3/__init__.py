"""The S3 data plane: SigV4-checked object requests answered from the very directories that the volumes live in."""
