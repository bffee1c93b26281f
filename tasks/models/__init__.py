"""Programs that put trained models where they are kept and where they are served from."""
