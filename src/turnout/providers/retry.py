"""How long to wait before the same candidate is asked again, or that it should not be."""

from __future__ import annotations

import random
from collections.abc import Callable

from turnout.config.providers import RetrySettings
from turnout.errors import ProviderError


def retry_wait_s(
    error: ProviderError,
    tries: int,
    settings: RetrySettings,
    *,
    left_s: float | None = None,
    draw: Callable[[], float] = random.random,
) -> float | None:
    """Seconds to wait before the next try; None where there should be none.

    Args:
        error: what ended the last try; only `retryable` ones are tried again.
        tries: how many there were.
        settings: bounds and base of the wait.
        left_s: what the caller's deadline leaves; a wait that ends after it makes no sense.
        draw: an even draw from [0, 1).
    """
    if not error.retryable or tries > settings.retries:
        return None
    # The exponent is bounded because 2.0 ** 1024 overflows; the wait is capped long before.
    wait_s = draw() * min(settings.max_wait_s, settings.base_s * 2.0 ** min(tries, 32))
    if error.retry_after_s is not None:
        if error.retry_after_s > settings.max_wait_s:
            return None
        wait_s = max(wait_s, error.retry_after_s)
    return None if left_s is not None and wait_s >= left_s else wait_s
