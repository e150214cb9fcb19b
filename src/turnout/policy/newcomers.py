"""Chances of candidates that the predictor does not know: what the base predictor makes of their names.

Beside candidates that the predictor knows, a newcomer is moved by as much, in log-odds, as these are from what the base predictor
says of them on the same prompt: a hard prompt is hard for all.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from typing import Final, Self

from turnout.descriptors import describe
from turnout.errors import ArtifactError, ArtifactMissingError
from turnout.features import Features
from turnout.predictor.base import BasePredictor
from turnout.predictor.base_artifact import load_base
from turnout.predictor.calibration import CEILING, FLOOR
from turnout.predictor.prior import Prior

logger = logging.getLogger(__name__)

_REMEMBERED: Final = 64
"""Sets of candidates whose lines are kept; a configuration asks about a handful."""


class Newcomers:
    """Answers for one base predictor. Safe to share between threads: a race computes the same lines twice."""

    def __init__(self, base: BasePredictor) -> None:
        self._base = base
        self._priors: dict[tuple[str, ...], Prior] = {}

    @classmethod
    def load(cls) -> Self | None:
        """With the base predictor that came with Turnout; None, and a warning unless it is switched off, without one."""
        try:
            return cls(load_base())
        except ArtifactMissingError:
            return None
        except ArtifactError as error:
            logger.warning("newcomers count as average: %s", error)
            return None

    def chances(self, features: Features, names: Sequence[str], known: Mapping[str, float]) -> dict[str, float]:
        """Probabilities of success of the named candidates.

        Args:
            known: what the predictor says of others on this prompt.
        """
        asked = (*names, *known)
        prior = self._priors.get(asked)
        if prior is None:
            if len(self._priors) >= _REMEMBERED:
                self._priors.clear()
            prior = self._base.lines([describe(name) for name in asked]).serve(self._base.traits)
            self._priors[asked] = prior
        row, _ = prior.traits.of(features)
        expected = dict(zip(asked, prior.p_success(row).tolist(), strict=True))
        moved = 0.0
        if known:
            moved = sum(_log_odds(p) - _log_odds(expected[name]) for name, p in known.items()) / len(known)
        return {name: 1.0 / (1.0 + math.exp(-_log_odds(expected[name]) - moved)) for name in names}


def _log_odds(p: float) -> float:
    kept = min(max(p, FLOOR), CEILING)
    return math.log(kept / (1.0 - kept))
