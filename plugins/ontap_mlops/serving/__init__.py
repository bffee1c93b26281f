"""Kinds of serving, a file each: place, load, prove, activate, put back."""
