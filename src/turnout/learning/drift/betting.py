"""Testing by betting: wealth that cannot be expected to grow while the mean is as it was, and does when it falls.

A bet on a value in [0, 1] with expected value q multiplies the stake by a factor whose mean is at most 1 while the mean
is q or more (Waudby-Smith and Ramdas, "Estimating means of bounded random variables by betting", JRSS-B 2024). A little
money is put down at each value, because nobody knows when a change comes; all of it together is an e-detector (Shin,
Ramdas and Rinaldo, "E-detectors", 2022). With 1 / horizon put down each time, wealth W(t) less t / horizon has no drift
upward, so by Ville's inequality

    P(W reaches 1 / alpha within n values) <= alpha n / horizon,

without a restart, for every n, and whatever chooses the values as long as it does not look ahead. Several detectors
may share a horizon: then n counts the values of all of them.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

SURE: Final = 0.98
"""Expected values above are lowered to this, so that one surprise multiplies the stake by no more than 50. Raising low
ones would be no bet on a fall any more, so below 1 - SURE nothing is bet: there is nowhere to fall to."""

LEAST_LEFT: Final = 0.1
"""A bet supposes a fall to no less than this share of the expected value, so that no single value takes everything."""


def log_factors(values: Array, expected: Array, falls: Array) -> Array:
    """Logarithm of what each bet's stake is multiplied by; finite for all values in [0, 1].

    The bet on a fall by d is the likelihood ratio of Bernoulli(q - d) against Bernoulli(q), made linear in the value: the
    best bet on such a fall for values of 0 and 1, and a valid one for all others in [0, 1].

    Args:
        values, expected: float64, any one shape (...), in [0, 1]. For a rise, give 1 - value and 1 - expected.
        falls: float64 (n_bets,), in (0, 1).

    Returns:
        float64 (..., n_bets).
    """
    q = np.clip(expected, 1 - SURE, SURE)[..., None]
    supposed = np.maximum(q - falls, LEAST_LEFT * q)
    factors = np.log1p((q - supposed) / (q * (1 - q)) * (q - values[..., None]))
    return np.where(expected[..., None] >= 1 - SURE, factors, 0.0)


def log_wealth(factors: Array, log_stakes: Array | float, before: Array | None = None) -> Array:
    """Logarithm of the wealth of each bet after each value: W(t) = (W(t - 1) + stake(t)) factor(t).

    Args:
        factors: float64 (n, ...), logarithms.
        log_stakes: what is put down before each value; -inf for nothing. Broadcast to the shape of `factors`.
        before: float64 (...), wealth at the end of an earlier piece of the stream; nothing if left out.

    Returns:
        float64 (n, ...); -inf as long as nothing was put down.
    """
    after = np.cumsum(factors, axis=0)
    entered = np.broadcast_to(log_stakes, factors.shape) - (after - factors)
    if before is not None and len(entered):
        entered = np.concatenate((before[None], entered))
        return np.asarray(np.logaddexp.accumulate(entered, axis=0)[1:] + after)
    return np.asarray(np.logaddexp.accumulate(entered, axis=0) + after)


def log_mean(wealth: Array) -> Array:
    """Logarithm of the mean over the last axis, the wealth when money is split evenly: (..., n_bets) to (...)."""
    return np.asarray(np.logaddexp.reduce(wealth, axis=-1) - np.log(wealth.shape[-1]))


def first_alarm(wealth: Array, alpha: float) -> int | None:
    """The first position at which wealth, float64 (n,), reaches 1 / alpha; None where it never does."""
    reached = wealth >= -np.log(alpha)
    return int(reached.argmax()) if reached.any() else None


def change_point(factors: Array, raised_at: int) -> int:
    """Where the change seems to have come: the start from which the best bet would have won most by `raised_at`.

    Args:
        factors: float64 (n, n_bets), logarithms. This is the estimate that goes with Page's CUSUM (Biometrika 1954).
    """
    run = factors[: raised_at + 1]
    after = np.cumsum(run, axis=0)
    gains = after[-1] - (after - run)
    start, _ = np.unravel_index(int(gains.argmax()), gains.shape)
    return int(start)
