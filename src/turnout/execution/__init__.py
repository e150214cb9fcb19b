"""Requests carried out: attempts with escalation and fallback, answer confidence, caches, ensembles, voices, the client."""
