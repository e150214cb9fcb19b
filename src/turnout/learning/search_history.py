"""Settings judged on a log: trained on its older decisions, judged off-policy on its newest, half of them for the verdict."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from turnout.errors import TooFewRowsError
from turnout.learning import partial, policies
from turnout.learning.challenge import split_by_time
from turnout.learning.direct import expected_scores
from turnout.learning.logged import LoggedDecisions
from turnout.learning.offpolicy import difference, estimate
from turnout.learning.search import Score, Verdict
from turnout.learning.spread import spread
from turnout.predictor.fit import TrainingData, fit
from turnout.predictor.settings import FitSettings

JUDGED_SHARE: Final = 0.4
"""The newest part of a log; its older half chooses, its newer half decides."""

Array = NDArray[np.float64]
Rows = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class OnHistory:
    """Training on a log's older decisions, judged off-policy on its newer ones.

    expected : for `searching` and `deciding`, float64 (n, k), what the direct model expects of each row.
    """

    data: TrainingData
    searching: LoggedDecisions
    deciding: LoggedDecisions
    expected: tuple[Array, Array]
    lot: Array
    seed: int

    def __sizeof__(self) -> int:
        return int(self.data.dense.nbytes + self.data.ngrams.data.nbytes + self.data.ngrams.indices.nbytes)

    @classmethod
    def of(cls, logged: LoggedDecisions, seed: int = 0) -> Self:
        """Split by time; a group stays in its newest part.

        Raises:
            TooFewRowsError: too few decisions have a known result.
        """
        older, newest = split_by_time(logged, JUDGED_SHARE)
        half = len(newest) // 2
        deciding = newest.take(np.arange(half, len(newest)))
        first = np.arange(half)
        searching = newest.take(first[~np.isin(newest.groups[:half], deciding.groups)])
        if not searching.scored.any() or not deciding.scored.any():
            raise TooFewRowsError("too few of the newest decisions have a known result; there is nothing to judge on")
        data = partial.training_data(older)
        _, group = np.unique(data.groups, return_inverse=True)
        lot = np.random.default_rng((seed, len(group))).random(int(group.max()) + 1)[group]
        expected = expected_scores(searching, seed=seed), expected_scores(deciding, seed=seed)
        return cls(data, searching, deciding, expected, lot, seed)

    @property
    def train_groups(self) -> int:
        return len(np.unique(self.lot))

    def score(self, settings: FitSettings, share: float) -> Score:
        started = time.perf_counter()
        rows = np.flatnonzero(self.lot < share)
        target = self.policy(settings, self.searching, rows)
        value = estimate(self.searching, target, self.expected[0], seed=self.seed).dr
        return Score(value, len(rows), time.perf_counter() - started)

    def verdict(self, settings: FitSettings, defaults: FitSettings) -> Verdict:
        everything = np.arange(len(self.data.dense))
        calls = [(self, one, self.deciding, everything) for one in (settings, defaults)]
        one, other = spread(OnHistory.policy, calls, "fits for the verdict", quiet=True)
        found = difference(self.deciding, one, other, self.expected[1], seed=self.seed)
        return Verdict(found.score, found.support.problem)

    def policy(self, settings: FitSettings, judged: LoggedDecisions, rows: Rows) -> Array:
        """What a predictor fitted on these rows would have chosen on the judged decisions: (len(judged), k)."""
        predictor = fit(self.data.take(rows), settings=settings, seed=self.seed).predictor
        return policies.of_predictor(judged, predictor)
