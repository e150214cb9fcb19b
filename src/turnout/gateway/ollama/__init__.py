"""Ollama's dialect: chat, generate, embed, and the list of language models."""
