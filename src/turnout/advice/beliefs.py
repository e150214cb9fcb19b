"""What is believed of the candidates on typical prompts: many draws of their probabilities, each of which could be the truth.

Candidates that the champion knows have its probabilities. The others' lines are drawn from what the base predictor says of
them, all in one go since they share some of what is not known, and moved by as much as the champion is from the base
predictor on the same prompts. Each draw takes its prompts anew (the bootstrap; Efron 1979), since other ones could have come.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from turnout.descriptors import Descriptor
from turnout.features import extract
from turnout.predictor import Predictor
from turnout.predictor.base import BasePredictor, Lines
from turnout.predictor.calibration import CEILING, FLOOR

Matrix = NDArray[np.float64]

DRAWS: Final = 400
"""The ends of a 90 % interval are then known within a twentieth of its width."""

_ENDS: Final = (50, 5, 95)


@dataclass(frozen=True, slots=True)
class Interval:
    """A median with the ends of a 90 % interval."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, draws: NDArray[np.floating[Any]]) -> Interval:
        """Of draws (n_draws,)."""
        return cls(*(float(end) for end in np.percentile(draws, _ENDS)))

    def to_json(self) -> list[float]:
        """Median, low and high end."""
        return [round(end, 4) for end in (self.median, self.low, self.high)]


@dataclass(frozen=True, slots=True)
class Beliefs:
    """p : float64 (n_draws, n_candidates, n_prompts), probabilities of success, the prompts of each draw its own.

    expected : float64 (n_candidates, n_prompts), their means on the prompts as given: what a router would go by. learned :
    names of the candidates that the champion knows.
    """

    names: tuple[str, ...]
    p: Matrix
    expected: Matrix
    learned: frozenset[str]

    def of(self, name: str) -> Matrix:
        """Of one candidate, (n_draws, n_prompts)."""
        return np.asarray(self.p[:, self.names.index(name)])

    def expected_of(self, name: str) -> Matrix:
        """Of one candidate, (n_prompts,)."""
        return np.asarray(self.expected[self.names.index(name)])

    def quality(self, name: str) -> Interval:
        """Its mean probability of success over typical prompts."""
        return Interval.of(self.of(name).mean(axis=1))


def beliefs(
    candidates: Sequence[tuple[str, Descriptor]],
    prompts: Sequence[str],
    *,
    champion: Predictor | None,
    base: BasePredictor | None,
    draws: int = DRAWS,
    seed: int = 0,
) -> Beliefs:
    """Draw what could be true.

    Args:
        candidates: their names and what they are.
        base: None only where the champion knows all of them.
    """
    names = tuple(name for name, _ in candidates)
    features = [extract(prompt) for prompt in prompts]
    taught = {} if champion is None else {name: at for at, name in enumerate(champion.candidates)}
    known = [place for place, name in enumerate(names) if name in taught]
    rng = np.random.default_rng(seed)
    log_odds = np.zeros((draws, len(names), len(prompts)))
    if base is not None and len(known) < len(names):
        rows = np.array([base.traits.of(each)[0] for each in features])
        lines = base.lines([descriptor for _, descriptor in candidates])
        log_odds = _drawn(lines, draws, rng) @ rows.T
        expected = _to_log_odds(lines.p_success(rows)).T  # (n_candidates, n_prompts)
    if champion is not None and known:
        told = np.array([champion.predict(each).p_success for each in features]).T
        own = _to_log_odds(told[[taught[names[place]] for place in known]])
        if base is not None and len(known) < len(names):
            log_odds += (own - expected[known]).mean(axis=0)
        log_odds[:, known] = own
    which = rng.integers(len(prompts), size=(draws, 1, len(prompts)))
    p = np.clip(1.0 / (1.0 + np.exp(-log_odds)), FLOOR, CEILING)
    own_prompts = np.take_along_axis(p, which, axis=2)
    return Beliefs(names, own_prompts, p.mean(axis=0), frozenset(names[place] for place in known))


def _drawn(lines: Lines, draws: int, rng: np.random.Generator) -> Matrix:
    """Lines (n_draws, n_candidates, width) from their joint normal distribution."""
    size = lines.mean.size
    values, vectors = np.linalg.eigh(lines.covariance.reshape(size, size))
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    return np.asarray(lines.mean + (rng.standard_normal((draws, size)) @ root.T).reshape(draws, *lines.mean.shape))


def _to_log_odds(p: Matrix) -> Matrix:
    kept = np.clip(p, FLOOR, CEILING)
    return np.asarray(np.log(kept / (1.0 - kept)))
