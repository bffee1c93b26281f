"""Calls as they are understood: sentence by sentence, live and in the past, with what people correct."""
