"""Fine-tune, retrieve or both: the same questions to every way of answering, in one table of quality, time and cost."""
