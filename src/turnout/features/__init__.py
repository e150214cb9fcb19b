"""Features: request in, float32 vector and hashed n-grams out, one schema with one hash."""

from turnout.features.extractor import FEATURE_NAMES, Features, extract, schema_hash

__all__ = ["FEATURE_NAMES", "Features", "extract", "schema_hash"]
