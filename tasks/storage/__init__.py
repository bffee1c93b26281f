"""Storage proof: what a mounted path or a bucket gives to training, measured and compared over paths and over time."""
