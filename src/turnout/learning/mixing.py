"""Full-information tables beside a log: what is known of all candidates on some prompts helps on all."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from turnout.errors import DataError
from turnout.learning.dataset import extract_all, training_data
from turnout.learning.outcomes import OutcomeTable
from turnout.predictor.fit import TrainingData

Matrix = NDArray[np.float32]


def of_table(table: OutcomeTable, candidates: Sequence[str], *, quiet: bool = False) -> TrainingData:
    """A table's rows for the candidates of a log; what it does not know of some is filled as in any table.

    Raises:
        DataError: it knows none of them.
    """
    known = [name for name in candidates if name in table.scores.columns]
    if not known:
        raise DataError(f"the table knows none of the history's candidates: {', '.join(candidates)}")
    kept = table.take(np.flatnonzero(table.scores[known].notna().any(axis=1).to_numpy()))
    whole = OutcomeTable(
        kept.prompts,
        _with_columns(kept.scores, candidates),
        _with_columns(kept.seconds, candidates),
        _with_columns(kept.cost_usd, candidates),
        _with_columns(kept.answer_tokens, candidates),
        kept.fingerprint,
    )
    features = extract_all(whole.prompts["prompt"].tolist(), quiet=quiet)
    return training_data(whole, candidates, features)


def mixed(data: TrainingData, more: TrainingData) -> TrainingData:
    """Both, row after row. Groups of the two do not meet.

    Raises:
        ValueError: they have different candidates.
    """
    if data.candidates != more.candidates:
        raise ValueError(f"the log has candidates {data.candidates}, the table {more.candidates}")
    apart = int(data.groups.max(initial=-1)) + 1
    return TrainingData(
        data.candidates,
        np.concatenate([data.dense, more.dense]),
        sparse.vstack([data.ngrams, more.ngrams]).tocsr(),
        np.concatenate([data.scores, more.scores]),
        np.concatenate([data.groups, more.groups + apart]),
        _stacked(data.seconds, more.seconds, data, more),
        _stacked(data.cost_usd, more.cost_usd, data, more),
        np.concatenate([_weights(part) for part in (data, more)]),
        np.concatenate([part.scores if part.known is None else part.known for part in (data, more)]),
        _stacked(data.answer_tokens, more.answer_tokens, data, more),
    )


def _with_columns(frame: pd.DataFrame, candidates: Sequence[str]) -> pd.DataFrame:
    missing = [name for name in candidates if name not in frame.columns]
    return frame.assign(**dict.fromkeys(missing, np.float32(np.nan)))


def _stacked(one: Matrix | None, other: Matrix | None, data: TrainingData, more: TrainingData) -> Matrix | None:
    """Measures of both, NaN where one has none; None where neither has."""
    if one is None and other is None:
        return None
    parts = [
        np.full(whole.scores.shape, np.nan, np.float32) if part is None else part
        for part, whole in ((one, data), (other, more))
    ]
    return np.concatenate(parts)


def _weights(data: TrainingData) -> NDArray[np.float32]:
    return np.ones(len(data.dense), np.float32) if data.weights is None else data.weights
