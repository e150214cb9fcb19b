"""The three pictures: figures that are returned, never shown, with every candidate and yardstick in them."""

from __future__ import annotations

import io
import sys

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from turnout.learning.evaluation import Evaluation
from turnout.learning.plots import plot_importance, plot_quality, plot_reliability

NAMES = ("local/small", "local/middle", "cloud/large")


def evaluation(n: int = 300, hole: bool = False) -> Evaluation:
    rng = np.random.default_rng(0)
    scores = (rng.random((n, 3)) < (0.3, 0.6, 0.9)).astype(float)
    guess = np.clip(0.4 * scores + 0.5 * rng.random((n, 3)), 0, 1)
    fold = np.arange(n) % 3
    if hole:
        scores[::5, 1], fold[::7] = np.nan, -1
        guess[::7] = np.nan
    ids = np.array([f"p{at}" for at in range(n)], object)
    return Evaluation(NAMES, ids, guess, scores, fold, rng.choice(["a", "b"], n), {}, None)


def measured(judged: Evaluation, values: object = np.nan) -> pd.DataFrame:
    return pd.DataFrame(np.broadcast_to(np.asarray(values, float), judged.scores.shape), columns=list(NAMES))


def words_of(figure: Figure) -> set[str]:
    """Every title, axis label and legend entry."""
    found: set[str] = set()
    for axis in figure.axes:
        found |= {axis.get_title(), axis.get_xlabel(), axis.get_ylabel(), *(text.get_text() for text in axis.texts)}
        found |= {line.get_label() for line in axis.get_lines()}
    return found


def render(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=40)
    return buffer.getvalue()


@pytest.mark.parametrize("hole", [False, True], ids=["complete", "with holes"])
def test_the_quality_curve_stands_beside_its_yardsticks(hole: bool) -> None:
    judged = evaluation(hole=hole)
    figure = plot_quality(judged, measured(judged), measured(judged))
    assert words_of(figure) >= {"Turnout", "oracle", "dataset-mean lookup", "random", "always cloud/large"}
    assert len(figure.axes) == 1
    assert render(figure).startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("seconds", "cost", "labels"),
    [
        ((1, 2, 9), np.nan, {"mean seconds"}),
        (np.nan, (0, 0, 0.02), {"mean cost in USD"}),
        ((1, 2, 9), (0, 0, 0.02), {"mean seconds", "mean cost in USD"}),
        ((1, 2, 9), 0, {"mean seconds"}),
    ],
    ids=["seconds", "cost", "both", "free"],
)
def test_quality_is_shown_against_whatever_was_measured(seconds: object, cost: object, labels: set[str]) -> None:
    judged = evaluation()
    figure = plot_quality(judged, measured(judged, seconds), measured(judged, cost))
    assert len(figure.axes) == 1 + len(labels)
    assert words_of(figure) >= labels
    render(figure)


def test_the_curve_runs_from_the_cheapest_to_the_best_single() -> None:
    judged = evaluation()
    figure = plot_quality(judged, measured(judged), measured(judged))
    lines = {line.get_label(): line for line in figure.axes[0].get_lines()}
    for name in ("Turnout", "oracle", "random"):
        ends = lines[name].get_ydata()[[0, -1]] if name != "random" else np.asarray(lines[name].get_ydata())
        np.testing.assert_allclose(ends, judged.scores.mean(0)[[0, 2]])


@pytest.mark.parametrize("n", [12, 300])
def test_reliability_is_shown_for_every_candidate(n: int) -> None:
    figure = plot_reliability(evaluation(n))
    assert words_of(figure) >= {*NAMES, "perfect"}
    render(figure)


def test_importance_shows_the_largest_last_and_only_so_many() -> None:
    figure = plot_importance({f"feature_{at}": at / 100 for at in range(40)}, top=25)
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert len(labels) == 25 and labels[-1] == "feature_39"
    render(figure)


def test_no_window_and_no_global_state_is_touched() -> None:
    before = "matplotlib.pyplot" in sys.modules
    plot_reliability(evaluation())
    if not before:
        assert "matplotlib.pyplot" not in sys.modules
