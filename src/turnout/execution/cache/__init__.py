"""Answers kept for equal requests, and for prompts that say the same; one run for identical requests in flight."""

from turnout.execution.cache.embedders import BuiltinEncoder, Embedder, ProviderEncoder
from turnout.execution.cache.entry import CachedAnswer
from turnout.execution.cache.keys import Scope, context_key, exact_key, is_repeatable, scope_of, scope_prefix
from turnout.execution.cache.redis_store import RedisStore
from turnout.execution.cache.semantic import SemanticCache, SemanticHit
from turnout.execution.cache.single_flight import Seat, SingleFlight
from turnout.execution.cache.store import LocalStore, Store, StoreStats

__all__ = [
    "BuiltinEncoder",
    "CachedAnswer",
    "Embedder",
    "LocalStore",
    "ProviderEncoder",
    "RedisStore",
    "Scope",
    "Seat",
    "SemanticCache",
    "SemanticHit",
    "SingleFlight",
    "Store",
    "StoreStats",
    "context_key",
    "exact_key",
    "is_repeatable",
    "scope_of",
    "scope_prefix",
]
