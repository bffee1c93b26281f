"""What is kept of a training beside its data, so that it can be looked at and done again."""
