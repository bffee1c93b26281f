"""Drift: new data of a dataset against the version that the champion was trained on, by inputs and by labels."""
