"""Tyre quality: good or defective, from a photograph."""

import os

# Before torch is loaded, which reads it once. Its threads otherwise spin while they wait for each other: on two cores
# that other programs use as well, a training took several times as long; on idle cores there is no difference.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
