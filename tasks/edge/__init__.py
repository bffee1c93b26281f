"""Edge sites: what arrives there, what they receive, and what inference costs on storage that they share."""

import os

# Before anything that has threads of its own is loaded: one server of the matrix is one thread.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
