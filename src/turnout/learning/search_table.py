"""Settings judged on a table: cross-validated apgr by group, two of five folds kept back for the verdict."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from turnout.errors import TooFewRowsError
from turnout.learning.evaluation import Pool
from turnout.learning.metrics import apgr, best_single, bootstrap
from turnout.learning.outcomes import factorize
from turnout.learning.search import Score, Verdict
from turnout.learning.spread import spread
from turnout.predictor.folds import assign_folds
from turnout.predictor.settings import FitSettings

FOLDS: Final = 5
SEARCH_FOLDS: Final = (0, 1, 2)
VERDICT_FOLDS: Final = (3, 4)
"""Both are predicted by fits on all other prompts, so that keeping some back costs no training row."""

DRAWS: Final = 1000

Array = NDArray[np.float64]
Rows = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class OnTable:
    """Cross-validation by group on prompts of which every candidate's score is known.

    fold : int (n,), no group in two. lot : float (n,) in [0, 1), one for each group; a share of the rows are those below.
    """

    pool: Pool
    fold: Rows
    lot: Array
    seed: int

    def __sizeof__(self) -> int:
        return self.pool.__sizeof__()

    @classmethod
    def of(cls, pool: Pool, seed: int = 0) -> Self:
        """Deal the folds.

        Raises:
            TooFewRowsError: fewer groups than folds, or a part of the folds has no gap between candidates to recover.
        """
        groups = factorize(pool.table.prompts["group"])
        if (n_groups := len(np.unique(groups))) < FOLDS:
            raise TooFewRowsError(f"tuning needs prompts of at least {FOLDS} groups, the table has {n_groups}")
        lot = np.random.default_rng((seed, n_groups)).random(n_groups)[groups]
        judge = cls(pool, assign_folds(groups, FOLDS, seed), lot, seed)
        for folds in (SEARCH_FOLDS, VERDICT_FOLDS):
            scores = judge._scores(judge._known(folds))
            if not len(scores) or best_single(scores) == 0:
                raise TooFewRowsError(
                    "tuning needs more prompts: on a part of them no candidate is better than the cheapest"
                )
        return judge

    @property
    def train_groups(self) -> int:
        return len(np.unique(self.lot[self.fold != SEARCH_FOLDS[0]]))

    def score(self, settings: FitSettings, share: float) -> Score:
        started = time.perf_counter()
        guess = np.full((len(self.fold), len(self.pool.candidates)), np.nan)
        for fold in SEARCH_FOLDS:
            outside = np.flatnonzero(self.fold == fold)
            guess[outside] = self.predict(settings, fold, share)
        rows = self._known(SEARCH_FOLDS)
        scores, guess, ties = self._scores(rows), guess[rows], self._ties(len(rows))
        best = best_single(scores)
        gain = guess[:, best] - guess[:, 0]
        figure = bootstrap(lambda at: {"apgr": apgr(scores[at], gain[at], ties[at], best)}, len(rows))["apgr"]
        trained = int(((self.fold != SEARCH_FOLDS[0]) & (self.lot < share)).sum())
        return Score(figure, trained, time.perf_counter() - started)

    def verdict(self, settings: FitSettings, defaults: FitSettings) -> Verdict:
        rows = self._known(VERDICT_FOLDS)
        calls = [(self, one, fold, 1.0) for one in (settings, defaults) for fold in VERDICT_FOLDS]
        parts = list(spread(OnTable.predict, calls, "fits for the verdict", quiet=True))
        scores, ties = self._scores(rows), self._ties(len(rows))
        best = best_single(scores)
        gains = []
        for at in (0, len(VERDICT_FOLDS)):
            guess = np.full((len(self.fold), len(self.pool.candidates)), np.nan)
            for fold, part in zip(VERDICT_FOLDS, parts[at:], strict=False):
                guess[self.fold == fold] = part
            gains.append(guess[rows, best] - guess[rows, 0])

        def gained(at: Rows) -> dict[str, float]:
            one, other = (apgr(scores[at], gain[at], ties[at], best) for gain in gains)
            return {"gain": one - other}

        return Verdict(bootstrap(gained, len(rows), DRAWS)["gain"])

    def predict(self, settings: FitSettings, fold: int, share: float) -> Array:
        """Probabilities for the prompts of a fold by a fit on that share of all others."""
        inside = np.flatnonzero((self.fold != fold) & (self.lot < share))
        return self.pool.predict(inside, np.flatnonzero(self.fold == fold), settings, self.seed)

    def _known(self, folds: tuple[int, ...]) -> Rows:
        """Rows of these folds on which every candidate's score is known."""
        scores = self._scores(np.arange(len(self.fold)))
        return np.flatnonzero(np.isin(self.fold, folds) & np.isfinite(scores).all(1))

    def _scores(self, rows: Rows) -> Array:
        scores: Array = self.pool.table.scores[list(self.pool.candidates)].to_numpy(np.float64)
        return scores[rows]

    def _ties(self, n: int) -> Array:
        return np.random.default_rng(self.seed).random(n)
