"""What every program on compute shares: its frame, its data, its progress, its record."""
