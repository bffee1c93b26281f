"""Programs that stay: they answer people over HTTP, and meet the rest through files, environment and HTTP only."""
