"""Lane detection: where the lanes of a road run in a picture of it, by messages passed through the picture (SCNN)."""

import os

# Before torch is loaded, which reads it once: threads that spin while they wait take the cores of the other processes.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
