"""Chest X-rays: which of fourteen findings a picture shows."""

import os

# Before torch is loaded, which reads it once: its threads otherwise spin while they wait for each other.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
