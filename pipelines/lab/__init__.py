"""Training the laboratory's language models, their first history, and the whole life that is played on them."""
