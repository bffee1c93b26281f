"""One file for each kind of place: what compute.yaml may say of it, and the runner that knows how to use it."""
