"""Logged decisions as arrays: what is taken of them, and what is forgotten."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from tests.learning.partial_logs import NAMES, World


def test_nothing_measured_of_a_candidate_before_its_moment_stays_and_everything_of_the_others_does() -> None:
    log = World(100).log
    measured = np.where(np.isfinite(log.scores), 1.0, np.nan).astype(np.float32)
    log = replace(log, seconds=measured, answer_tokens=measured)
    moment = float(log.created_at[60])
    found = log.since({NAMES[1]: moment, "nobody": moment})
    old = log.created_at < moment
    for name in ("scores", "seconds", "answer_tokens"):
        before, after = getattr(log, name), getattr(found, name)
        assert np.isnan(after[old, 1]).all() and np.isfinite(before[old, 1]).any()
        assert np.array_equal(after[~old], before[~old], equal_nan=True)
        assert np.array_equal(np.delete(after, 1, 1), np.delete(before, 1, 1), equal_nan=True)
    assert not found.weights[old, 1].any() and np.array_equal(found.weights[~old], log.weights[~old])
    assert len(found) == len(log)


def test_where_nobody_has_changed_nothing_is_forgotten() -> None:
    log = World(50).log
    found = log.since({})
    assert np.array_equal(found.scores, log.scores, equal_nan=True) and np.array_equal(found.weights, log.weights)
