"""Questions to a retail assistant: their intent and the slots of their words, by one network."""
