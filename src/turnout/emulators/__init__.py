"""Servers that act like language-model providers, their faults included; for tests, demos and learning without a GPU."""
