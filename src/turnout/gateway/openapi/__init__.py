"""The gateway's description of itself: OpenAPI 3.1 at GET /openapi.json, in pieces by dialect."""
