"""Calls understood: recordings cut into utterances, recognised, and the sentiment of what both sides say."""
