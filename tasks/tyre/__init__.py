"""Tyre quality: good or defective, from a photograph."""
