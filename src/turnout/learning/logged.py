"""Logged decisions as arrays: what was chosen, how likely that was, and what is known of the results.

Most cells of `scores` are unknown: only who was asked has a result. That is what the estimators of `offpolicy` and the
fit of `partial` are about.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from turnout.learning.dataset import FeatureTable


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedDecisions:
    """One row for each decision, oldest first; n rows, k candidates, columns from cheapest to most expensive.

    ids : str objects (n,). created_at : float64 (n,), Unix seconds. features : n rows. groups : int64 (n,), equal where
    the prompt (or its conversation) is the same, so that no fold splits them.
    chosen : int64 (n,), the column of the candidate that was chosen. propensity : float64 (n,), the probability with
    which it was, in (0, 1]. pinned : bool (n,), a rule or the caller had left no choice: nothing is explored there.
    eligible : bool (n, k), who could have been chosen.
    scores : float32 (n, k) in [0, 1], NaN where unknown. weights : float32 (n, k), how far a score can be trusted, 0
    where it is unknown.
    predicted : float32 (n, k), the chance of success as it was predicted then, NaN where nothing was.
    expected_s : float32 (n, k), seconds expected then, NaN where unknown. seconds, answer_tokens : float32 (n, k), measured.
    preference : str objects (n,). predictor : str objects (n,), the version that decided.
    """

    candidates: tuple[str, ...]
    ids: NDArray[np.object_]
    created_at: NDArray[np.float64]
    features: FeatureTable
    groups: NDArray[np.int64]
    chosen: NDArray[np.int64]
    propensity: NDArray[np.float64]
    pinned: NDArray[np.bool_]
    eligible: NDArray[np.bool_]
    scores: NDArray[np.float32]
    weights: NDArray[np.float32]
    predicted: NDArray[np.float32]
    expected_s: NDArray[np.float32]
    seconds: NDArray[np.float32]
    answer_tokens: NDArray[np.float32]
    preference: NDArray[np.object_]
    predictor: NDArray[np.object_]

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> Self:
        """The given rows only, by position or by mask."""
        at = np.flatnonzero(rows) if rows.dtype == bool else np.asarray(rows, np.int64)
        taken: dict[str, Any] = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        for name, value in taken.items():
            if name != "candidates":
                taken[name] = value.take(at) if isinstance(value, FeatureTable) else value[at]
        return type(self)(**taken)

    def since(self, moments: Mapping[str, float]) -> Self:
        """Nothing measured of these candidates before their moments, Unix seconds: they were others then."""
        old = np.zeros(self.scores.shape, bool)
        for candidate, moment in moments.items():
            if candidate in self.candidates:
                old[:, self.candidates.index(candidate)] = self.created_at < moment
        unknown = np.float32(np.nan)
        return replace(
            self,
            scores=np.where(old, unknown, self.scores),
            weights=np.where(old, np.float32(0.0), self.weights),
            seconds=np.where(old, unknown, self.seconds),
            answer_tokens=np.where(old, unknown, self.answer_tokens),
        )

    @property
    def scored(self) -> NDArray[np.bool_]:
        """Rows on which the chosen candidate's score is known: bool (n,)."""
        return np.isfinite(self.score)

    @property
    def score(self) -> NDArray[np.float32]:
        """The score of the chosen candidate: float32 (n,), NaN where unknown."""
        return self.scores[np.arange(len(self)), self.chosen]


def from_scores(
    candidates: tuple[str, ...],
    features: FeatureTable,
    groups: NDArray[np.int64],
    scores: NDArray[np.float32],
    chosen: NDArray[np.int64],
    propensity: NDArray[np.float64],
) -> LoggedDecisions:
    """A log in which nothing but the chosen candidate's score is revealed, out of a table that knows all.

    Args:
        scores: float32 (n, k), the whole truth; only the chosen cell of each row is copied.
    """
    n, k = scores.shape
    rows = np.arange(n)
    revealed = np.full((n, k), np.nan, np.float32)
    revealed[rows, chosen] = scores[rows, chosen]
    nothing = np.full((n, k), np.nan, np.float32)
    return LoggedDecisions(
        candidates=candidates,
        ids=np.array([f"{row:08d}" for row in rows], dtype=object),
        created_at=rows.astype(np.float64),
        features=features,
        groups=groups,
        chosen=chosen,
        propensity=propensity,
        pinned=np.zeros(n, bool),
        eligible=np.ones((n, k), bool),
        scores=revealed,
        weights=np.isfinite(revealed).astype(np.float32),
        predicted=nothing,
        expected_s=nothing,
        seconds=nothing,
        answer_tokens=nothing,
        preference=np.full(n, "balanced", dtype=object),
        predictor=np.full(n, "", dtype=object),
    )
