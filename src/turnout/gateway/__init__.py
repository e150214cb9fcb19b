"""The gateway: routing behind the HTTP dialects that clients of language models speak already."""
