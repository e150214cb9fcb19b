"""Is a candidate slower than expected? Bets on how many of a block's requests took longer than most used to.

Seconds have heavy tails, so only whether a request's measured over expected seconds lies above the reference's upper
quantile counts. They also come in bursts (a busy machine, a long queue), so requests are taken in blocks longer than the
memory of the reference window, and each block counts as one value.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from turnout.learning.drift.baseline import Baseline, learn
from turnout.learning.drift.betting import change_point, first_alarm, log_factors, log_mean, log_wealth
from turnout.learning.drift.success import Change

Array = NDArray[np.float64]

SLOW_QUANTILE: Final = 0.75
"""A quarter of the reference's requests counts as slow: enough to see fewer and many more."""

FALLS: Final = np.array([0.1, 0.2, 0.4])
MIN_REFERENCE: Final = 500
"""Measured requests of the reference window; in fewer, long bursts are taken for short ones."""

MIN_BLOCK: Final = 5
MIN_BLOCKS: Final = 30
"""Blocks of the reference window. Where bursts are so long that it holds fewer, the candidate's speed is not watched."""

MARGIN_IN_ERRORS: Final = 3.0
"""Wider than for success, since blocks still remember a little of each other: with bursts of 20 requests, 1.75 gave an
alarm on 15 % of stationary streams where 5 % were allowed."""

WINDOW_IN_TIMES: Final = 5
"""How many autocorrelation times the sum over lags spans (Sokal, "Monte Carlo methods in statistical mechanics", 1997)."""

BLOCK_IN_TIMES: Final = 3
"""Autocorrelation times in a block."""


@dataclass(frozen=True, slots=True)
class SpeedBaseline:
    """slow_ratio: measured over expected seconds above which a request is slow. block: requests that count as one value.
    share: of slow requests in a block.
    """

    slow_ratio: float
    block: int
    share: Baseline


def speed_baseline(ratios: Array) -> SpeedBaseline | None:
    """Learn it from the reference's ratios, float64 (n,), oldest first; None without enough of them."""
    if len(ratios) < MIN_REFERENCE:
        return None
    slow_ratio = float(np.quantile(ratios, SLOW_QUANTILE))
    slow = (ratios > slow_ratio).astype(np.float64)
    block = max(MIN_BLOCK, int(np.ceil(BLOCK_IN_TIMES * autocorrelation_time(slow))))
    share = learn(block_means(slow, block), least=MIN_BLOCKS, errors=MARGIN_IN_ERRORS)
    return None if share is None else SpeedBaseline(slow_ratio, block, share)


def speed_change(ratios: Array, baseline: SpeedBaseline, *, alpha: float, horizon: int) -> Change | None:
    """The first slowdown, in positions of `ratios`.

    Args:
        alpha: chance of a false alarm among `horizon` requests, of one candidate or of all that share it.
    """
    block, share = baseline.block, baseline.share
    slow = block_means((ratios > baseline.slow_ratio).astype(np.float64), block)
    factors = log_factors(1 - slow, np.full_like(slow, 1 - share.high), FALLS)
    raised_at = first_alarm(log_mean(log_wealth(factors, np.log(block / horizon))), alpha)
    if raised_at is None:
        return None
    start = change_point(factors, raised_at)
    return Change(
        start * block, (raised_at + 1) * block - 1, float(slow[start : raised_at + 1].mean()), baseline.share.mean
    )


def block_means(values: Array, block: int) -> Array:
    """Means of consecutive blocks, float64 (n // block,); what is left at the end is left out."""
    whole = len(values) // block * block
    return np.asarray(values[:whole].reshape(-1, block).mean(1))


def autocorrelation_time(values: Array) -> float:
    """Integrated autocorrelation time in steps, at least 1: how many values tell as much as one independent one.

    Summed over a window that grows until it spans `WINDOW_IN_TIMES` of the sum so far (Sokal 1997).
    """
    centred = values - values.mean()
    n = len(values)
    spectrum = np.fft.rfft(centred, 2 * n)
    covariance = np.fft.irfft(spectrum * np.conj(spectrum), 2 * n)[:n]
    if covariance[0] <= 1e-12 * n:
        return 1.0
    times = 2 * np.cumsum(covariance / covariance[0]) - 1
    spans = np.flatnonzero(np.arange(n) >= WINDOW_IN_TIMES * times)
    return max(1.0, float(times[spans[0] if len(spans) else -1]))
