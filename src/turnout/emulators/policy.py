"""How a provider manages its models, as parameters of one engine."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Policy:
    """How a provider manages its models. None means no limit, `keep_alive_s` infinity means forever.

    slots: requests that one instance serves at once.
    max_loaded, memory_bytes: what fits at the same time.
    max_pending: requests that may wait for the scheduler; those for a model that is loaded never need it.
    keep_alive_s: idle seconds until a model is unloaded.
    keep_alive_renewed: a request's own keep-alive replaces that of a loaded model, instead of counting for loads only.
    one_instance: requests for a model share its one instance, wait for one load, and other settings mean a reload.
        Otherwise every request that finds the model not loaded loads a copy (`name:2`).
    keep_one_automatic: loading a model on request unloads those of other names that were loaded on request.
    evict_busy: a model may be evicted while it generates; otherwise its requests are waited for.
    shared_context: the slots share one context window, and all fail when it is full.
    prefill_outlives_client: the reading of a prompt goes on, in its slot, after the client has left.
    """

    slots: int = 1
    max_loaded: int | None = None
    memory_bytes: int | None = None
    max_pending: int | None = None
    keep_alive_s: float = math.inf
    keep_alive_renewed: bool = True
    one_instance: bool = True
    keep_one_automatic: bool = False
    evict_busy: bool = False
    shared_context: bool = False
    prefill_outlives_client: bool = False
