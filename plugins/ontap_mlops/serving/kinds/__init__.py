"""One file for each kind of serving."""
