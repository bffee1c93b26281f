"""Programs that stand for the machines of a site, where tests and demos need real ones."""
