"""Documents found again: cut into passages, indexed by words and meaning, quoted with where each sentence stands."""
