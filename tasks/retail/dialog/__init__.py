"""Conversations by flow files: a model finds intent and slots, a flow says what comes next, services answer."""
