"""OpenAI's dialect: chat completions, completions, responses, embeddings, models."""
