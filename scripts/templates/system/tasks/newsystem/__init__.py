"""New System: from rows of measurements to a deployed classifier."""
