"""Programs for GPU projects."""
