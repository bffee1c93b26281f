"""Documents that answer: over HTTP, on a chat page and over MCP, to each person from what they may read."""
