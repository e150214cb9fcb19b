"""Routing quality, with the yardsticks every figure is read against.

Conventions: `scores` is float (n, n_candidates) of true scores, columns from cheapest to most expensive; `guess` has the
same shape and holds predicted probabilities. The *best single* candidate is the one with the highest mean score; the
*gain* of a prompt is best single minus cheapest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

LOSS_ALLOWED: Final = 0.01
CALIBRATION_BINS: Final = 15
COLLAPSE_SHARE: Final = 0.98
"""Above this share of prompts on one candidate the routing has collapsed, if the oracle would spread them."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure with its 95 % bootstrap interval over prompts."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def best_single(scores: Array) -> int:
    """The candidate with the highest mean score."""
    return int(scores.mean(0).argmax())


def quality_curve(scores: Array, gain: Array, ties: Array, best: int | None = None) -> Array:
    """Mean score when the 0, 1, …, n prompts of largest estimated gain go to `best` (the best single): (n + 1,)."""
    order = np.lexsort((ties, -gain))
    true_gain = scores[order, best_single(scores) if best is None else best] - scores[order, 0]
    return np.asarray(scores[:, 0].mean() + np.concatenate(([0.0], np.cumsum(true_gain))) / len(scores))


def apgr(scores: Array, gain: Array, ties: Array, best: int | None = None) -> float:
    """Average performance gap recovered (Ong et al. 2024, RouteLLM), over every share of calls; random gives .5."""
    curve = quality_curve(scores, gain, ties, best)
    low, high = curve[0], curve[-1]
    return float(((curve[:-1] + curve[1:]).mean() / 2 - low) / (high - low)) if high - low > 1e-9 else float("nan")


def offload_share(scores: Array, gain: Array, ties: Array) -> float:
    """Largest share of calls on the cheapest at a loss of at most one point, the threshold picked in hindsight."""
    curve = quality_curve(scores, gain, ties)[::-1]
    return float(np.flatnonzero(curve >= curve[0] - LOSS_ALLOWED - 1e-12).max() / len(scores))


def calibration_error(p: Array, success: Array, bins: int = CALIBRATION_BINS) -> float:
    """Expected calibration error over equal-width bins, weighted by their size."""
    which = np.minimum((p * bins).astype(int), bins - 1)
    size = np.bincount(which, minlength=bins)
    gap = np.abs(np.bincount(which, p, minlength=bins) - np.bincount(which, success, minlength=bins))
    return float(gap[size > 0].sum() / len(p))


def chance_calibration_error(p: Array, seed: int = 0, draws: int = 20) -> float:
    """The calibration error a perfect model with these probabilities would show by chance."""
    rng = np.random.default_rng(seed)
    return float(np.mean([calibration_error(p, (rng.random(len(p)) < p).astype(float)) for _ in range(draws)]))


def selection_entropy_bits(choice: NDArray[np.int64], n_candidates: int) -> float:
    """Entropy of who gets chosen; 0 means that routing collapsed to one candidate."""
    share = np.bincount(choice, minlength=n_candidates) / len(choice)
    share = share[share > 0]
    return float(-(share * np.log2(share)).sum())


def lookup(scores: Array, dataset: NDArray[np.str_], fit: NDArray[np.bool_], use: NDArray[np.bool_]) -> Array:
    """Mean scores of each prompt's dataset learned on `fit`, for `use`: a yardstick that knows the benchmark's name."""
    names, position = np.unique(dataset, return_inverse=True)
    size = np.bincount(position[fit], minlength=len(names))[:, None]
    sums = np.stack([np.bincount(position[fit], column[fit], minlength=len(names)) for column in scores.T], axis=1)
    means = np.where(size > 0, sums / np.maximum(size, 1), scores[fit].mean(0))
    return np.asarray(means[position[use]])


def routing_figures(scores: Array, guess: Array, dataset: NDArray[np.str_], seed: int = 0) -> dict[str, float]:
    """Every figure of one evaluation, yardsticks included; `nan` where the pool has no gap to recover."""
    rng = np.random.default_rng(seed)
    ties, half = rng.random(len(scores)), rng.random(len(scores)) < 0.5
    best = best_single(scores)
    by_dataset = []
    for fit, use in ((half, ~half), (~half, half)):
        if fit.any() and use.any():
            means = lookup(scores, dataset, fit, use)
            by_dataset.append((apgr(scores[use], means[:, best] - means[:, 0], ties[use], best), int(use.sum())))
    success = (scores[:, 0] >= 0.5).astype(float)
    choice = guess.argmax(1)
    gap = float(scores[:, best].mean() - scores[:, 0].mean())
    return {
        "apgr": apgr(scores, guess[:, best] - guess[:, 0], ties),
        "apgr_dataset_lookup": _mean_by_size(by_dataset),
        "apgr_random": 0.5,
        "apgr_oracle": apgr(scores, scores[:, best] - scores[:, 0], ties),
        "offload_1pt": offload_share(scores, guess[:, best] - guess[:, 0], ties),
        "offload_1pt_random": min(1.0, LOSS_ALLOWED / gap) if gap > 1e-9 else 1.0,
        "offload_1pt_oracle": offload_share(scores, scores[:, best] - scores[:, 0], ties),
        "accuracy": float(scores[np.arange(len(scores)), choice].mean()),
        "accuracy_best_single": float(scores[:, best].mean()),
        "accuracy_cheapest": float(scores[:, 0].mean()),
        "accuracy_oracle": float(scores.max(1).mean()),
        "brier": float(((guess[:, 0] - success) ** 2).mean()),
        "calibration_error": calibration_error(guess[:, 0], success),
        "calibration_error_by_chance": chance_calibration_error(guess[:, 0]),
        "selection_entropy_bits": selection_entropy_bits(choice, scores.shape[1]),
    }


def _mean_by_size(values: list[tuple[float, int]]) -> float:
    size = sum(n for _, n in values)
    return sum(value * n for value, n in values) / size if size else float("nan")


def collapse_alarm(scores: Array, guess: Array) -> str | None:
    """A sentence if routing by highest probability has collapsed to one candidate although others would win some."""
    share = np.bincount(guess.argmax(1), minlength=guess.shape[1]) / len(guess)
    oracle = np.bincount(scores.argmax(1), minlength=guess.shape[1]) / len(guess)
    if share.max() <= COLLAPSE_SHARE or oracle.max() > COLLAPSE_SHARE:
        return None
    return (
        f"routing by highest probability sends {share.max():.0%} of the prompts to one candidate (the oracle: "
        f"{oracle[share.argmax()]:.0%}); with a preference for speed or cost it may still route, see the quality curve"
    )


def bootstrap(
    figures: Callable[[NDArray[np.int64]], Mapping[str, float]], n: int, draws: int = 100, seed: int = 0
) -> dict[str, Interval]:
    """Point values with 95 % percentile intervals over resampled prompts; `figures` gets row numbers."""
    rng = np.random.default_rng(seed)
    point = figures(np.arange(n))
    samples = [figures(rng.integers(0, n, n)) for _ in range(draws)]
    result = {}
    for key, value in point.items():
        drawn = np.array([sample[key] for sample in samples])
        drawn = drawn[np.isfinite(drawn)]
        low, high = np.quantile(drawn, (0.025, 0.975)) if len(drawn) else (value, value)
        result[key] = Interval(value, float(low), float(high))
    return result
