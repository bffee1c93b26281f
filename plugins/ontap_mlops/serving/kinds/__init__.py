"""One file per kind of serving."""
