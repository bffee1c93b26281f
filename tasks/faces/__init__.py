"""Faces found without faces on the wire: a detector in two halves, and noise between them that is learned."""

import os

# Before torch is loaded, which reads it once: its threads otherwise spin while they wait for each other.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
