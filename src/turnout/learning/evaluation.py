"""Evaluation that cannot flatter: every prompt is predicted by a predictor that never saw its group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from turnout.errors import TooFewRowsError
from turnout.learning.dataset import FeatureTable, extract_all, training_data
from turnout.learning.metrics import Interval, bootstrap, collapse_alarm, routing_figures
from turnout.learning.outcomes import OutcomeTable, factorize
from turnout.learning.spread import spread
from turnout.predictor.base import BasePredictor
from turnout.predictor.blend import blend_outputs
from turnout.predictor.calibration import to_probabilities
from turnout.predictor.fit import fit
from turnout.predictor.fit_prior import design_rows
from turnout.predictor.folds import assign_folds
from turnout.predictor.model import Predictor
from turnout.predictor.settings import FitSettings

Split = Literal["group", "dataset"]


@dataclass(frozen=True, eq=False)
class Pool:
    """A table's rows with their features, as the candidates of a pool are judged on them.

    One object, that a cluster fetches once for all folds: what Dask takes for large, by its size, is not sent with each.
    """

    table: OutcomeTable
    candidates: tuple[str, ...]
    features: FeatureTable
    use_other_models: bool = True
    base: BasePredictor | None = None

    def __sizeof__(self) -> int:
        ngrams = self.features.ngrams
        return int(self.features.dense.nbytes + ngrams.data.nbytes + ngrams.indices.nbytes)

    def predict(
        self, inside: NDArray[np.int64], outside: NDArray[np.int64], settings: FitSettings | None, seed: int
    ) -> NDArray[np.float64]:
        """Probabilities for rows `outside` by a predictor fitted on rows `inside`: (len(outside), n_candidates)."""
        table, features = self.table.take(inside), self.features.take(inside)
        data = training_data(table, self.candidates, features, use_other_models=self.use_other_models)
        fitted = fit(data, settings=settings, base=self.base, seed=seed)
        return predict_table(fitted.predictor, self.features.take(outside))


@dataclass(frozen=True)
class Evaluation:
    """Held-out predictions of every prompt and what they are worth.

    p_success, scores : float64 (n, n_candidates), columns as in `candidates`; rows with a missing score are judged on
    nothing and left out of the figures. fold : int (n,), -1 where a prompt only served for training.
    """

    candidates: tuple[str, ...]
    prompt_ids: NDArray[np.object_]
    p_success: NDArray[np.float64]
    scores: NDArray[np.float64]
    fold: NDArray[np.int64]
    dataset: NDArray[np.str_]
    figures: dict[str, Interval]
    alarm: str | None

    def predictions(self) -> pd.DataFrame:
        """One row for each (prompt, candidate): prompt_id, candidate, p_success, fold."""
        held = np.flatnonzero(self.fold >= 0)
        n = len(self.candidates)
        return pd.DataFrame(
            {
                "prompt_id": np.repeat(self.prompt_ids[held], n),
                "candidate": np.tile(np.array(self.candidates, dtype=object), len(held)),
                "p_success": self.p_success[held].ravel(),
                "fold": np.repeat(self.fold[held], n),
            }
        )


def predict_table(predictor: Predictor, features: FeatureTable) -> NDArray[np.float64]:
    """Probabilities for many prompts with exactly the parts that serve one: (n, n_candidates)."""
    ngrams = features.ngrams
    linear = np.empty((ngrams.shape[0], len(predictor.candidates)), np.float32)
    for row in range(len(linear)):
        at = slice(ngrams.indptr[row], ngrams.indptr[row + 1])
        buckets = ngrams.indices[at].astype(np.int64)
        linear[row], _ = predictor.ngrams.predict_one(buckets, ngrams.data[at].astype(np.int64))
    outputs = blend_outputs(predictor.blend, linear @ predictor.to_outputs, predictor.forest.predict(features.dense))
    scores = outputs @ predictor.to_scores
    if predictor.prior is not None:
        rows = design_rows(predictor.prior.traits, features.dense, features.ngrams)
        scores += predictor.prior.scores(rows)
    return to_probabilities(scores, predictor.calibration)


def evaluate(
    table: OutcomeTable,
    candidates: Sequence[str],
    *,
    n_folds: int = 5,
    seed: int = 0,
    split: Split = "group",
    train_size: int | None = None,
    use_other_models: bool = True,
    features: FeatureTable | None = None,
    settings: FitSettings | None = None,
    base: BasePredictor | None = None,
    quiet: bool = False,
) -> Evaluation:
    """Cross-validated predictions by group or by dataset, or, with `train_size`, one fit on that many prompts.

    Folds are fitted one after the other, or in parallel where joblib was given a backend; that changes no prediction.

    Args:
        train_size: fit on this many prompts, drawn by group, and predict all others; `n_folds` is then not used.
        use_other_models: let models outside `candidates` take noise out of the training targets.
        features: those of `table.prompts` where they are known already.
        settings: hyperparameters; None is the defaults.
        base: what every fold starts from; it must not be made of these prompts (`learning.base.start`).

    Raises:
        TooFewRowsError: fewer groups (or datasets) than folds, or `train_size` leaves nothing to test on.
    """
    pool = pool_of(table, candidates, features=features, use_other_models=use_other_models, base=base, quiet=quiet)
    table = pool.table
    fold = _folds(table, split, n_folds, train_size, seed)
    p_success = np.full((len(table.prompts), len(candidates)), np.nan)
    parts = [(np.flatnonzero(fold != value), np.flatnonzero(fold == value)) for value in np.unique(fold[fold >= 0])]
    calls = [(pool, inside, outside, settings, seed) for inside, outside in parts]
    for (_, outside), predicted in zip(parts, spread(Pool.predict, calls, "folds", quiet=quiet), strict=True):
        p_success[outside] = predicted
    scores = table.scores[list(candidates)].to_numpy(np.float64)
    dataset = table.prompts["dataset"].to_numpy(str)
    judged = np.flatnonzero((fold >= 0) & np.isfinite(scores).all(1))
    if not len(judged):
        raise TooFewRowsError("no held-out prompt has a score for every candidate; nothing can be judged")
    figures = bootstrap(
        lambda rows: routing_figures(scores[judged[rows]], p_success[judged[rows]], dataset[judged[rows]]), len(judged)
    )
    return Evaluation(
        tuple(candidates),
        table.prompts.index.to_numpy(object),
        p_success,
        scores,
        fold,
        dataset,
        figures,
        collapse_alarm(scores[judged], p_success[judged]),
    )


def pool_of(
    table: OutcomeTable,
    candidates: Sequence[str],
    *,
    features: FeatureTable | None = None,
    use_other_models: bool = True,
    base: BasePredictor | None = None,
    quiet: bool = False,
) -> Pool:
    """The prompts on which any of the candidates has a score, with their features; arguments as in `evaluate`.

    Raises:
        DataError: see `OutcomeTable.select`.
    """
    kept = table.select(candidates)
    if features is None:
        features = extract_all(kept.prompts["prompt"].tolist(), quiet=quiet)
    else:
        features = features.take(np.flatnonzero(table.prompts.index.isin(kept.prompts.index)))
    return Pool(kept, tuple(candidates), features, use_other_models, base)


def _folds(table: OutcomeTable, split: Split, n_folds: int, train_size: int | None, seed: int) -> NDArray[np.int64]:
    """The fold of each prompt, -1 where it only serves for training."""
    units = factorize(table.prompts[split])
    n_units = len(np.unique(units))
    if train_size is not None:
        return _one_split(units, train_size, seed)
    if n_folds < 2:
        raise TooFewRowsError(f"judging held-out prompts needs at least 2 folds, not {n_folds}")
    if n_units < n_folds:
        raise TooFewRowsError(f"{n_folds} folds need at least {n_folds} different {split}s, the table has {n_units}")
    return assign_folds(units, n_folds, seed)


def _one_split(groups: NDArray[np.int64], train_size: int, seed: int) -> NDArray[np.int64]:
    """-1 for about `train_size` rows drawn in whole groups, 0 for the rest."""
    if not 0 < train_size < len(groups):
        raise TooFewRowsError(
            f"--train-size {train_size} leaves nothing to train or to test on; there are {len(groups)} prompts"
        )
    order = np.random.default_rng(seed).permutation(int(groups.max()) + 1)
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    first = np.argsort(rank[groups], kind="stable")[:train_size]
    return np.where(np.isin(groups, groups[first]), -1, 0)
