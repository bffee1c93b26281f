"""How docker-compose.yaml is brought up: ``file`` reads it, ``engines`` are Docker and podman behind one interface."""
