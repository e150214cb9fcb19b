"""The three pictures by which routing is judged. Each function returns a Matplotlib figure and shows nothing."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from turnout.learning.evaluation import Evaluation
from turnout.learning.metrics import CALIBRATION_BINS, best_single, lookup, quality_curve

_ROUTER, _ORACLE, _LOOKUP, _RANDOM = "#0b6e99", "#2e7d32", "#b26a00", "#777777"


def plot_quality(judged: Evaluation, seconds: pd.DataFrame, cost_usd: pd.DataFrame) -> Figure:
    """Mean score against the share of calls on the best single candidate, and against seconds or dollars where known."""
    rows = np.flatnonzero((judged.fold >= 0) & np.isfinite(judged.scores).all(1))
    scores, guess = judged.scores[rows], judged.p_success[rows]
    best = best_single(scores)
    measures = [
        (label, frame[list(judged.candidates)].to_numpy()[rows][:, [0, best]])
        for label, frame in (("mean seconds", seconds), ("mean cost in USD", cost_usd))
    ]
    measures = [(label, values) for label, values in measures if np.isfinite(values).all() and np.ptp(values) > 0]
    figure = Figure(figsize=(6 * (1 + len(measures)), 4.5), layout="constrained")
    axes = figure.subplots(1, 1 + len(measures), squeeze=False)[0]
    ties = np.random.default_rng(0).random(len(rows))
    share = np.linspace(0, 1, len(rows) + 1)
    half = np.random.default_rng(0).random(len(rows)) < 0.5
    known = lookup(scores, judged.dataset[rows], half, np.ones(len(rows), bool))
    lines = (
        ("oracle", scores[:, best] - scores[:, 0], _ORACLE),
        ("dataset-mean lookup", known[:, best] - known[:, 0], _LOOKUP),
        ("Turnout", guess[:, best] - guess[:, 0], _ROUTER),
    )
    for name, gain, colour in lines:
        curve = quality_curve(scores, gain, ties)
        order = np.lexsort((ties, -gain))
        axes[0].plot(100 * share, curve, color=colour, label=name, lw=2 if name == "Turnout" else 1.2)
        for axis, (_, values) in zip(axes[1:], measures, strict=True):
            spent = values[:, 0].mean() + np.concatenate(([0], np.cumsum((values[:, 1] - values[:, 0])[order]))) / len(
                rows
            )
            axis.plot(spent, curve, color=colour, label=name, lw=2 if name == "Turnout" else 1.2)
    ends = scores[:, 0].mean(), scores[:, best].mean()
    axes[0].plot([0, 100], ends, "--", color=_RANDOM, label="random")
    axes[0].axhline(ends[1], color=_RANDOM, lw=0.8)
    axes[0].annotate(f"always {judged.candidates[best]}", (0, ends[1]), (3, 3), textcoords="offset points", fontsize=8)
    _dress(axes[0], "calls on the best single candidate, %", "mean score", "Quality against share of strong calls")
    for axis, (label, values) in zip(axes[1:], measures, strict=True):
        axis.plot(values.mean(0), ends, "--", color=_RANDOM, label="random")
        _dress(axis, label, "mean score", f"Quality against {label}")
    return figure


def plot_reliability(judged: Evaluation) -> Figure:
    """Predicted against observed success for each candidate, with how often each prediction is made."""
    figure = Figure(figsize=(6, 5.5), layout="constrained")
    upper, lower = figure.subplots(2, 1, height_ratios=(3, 1), sharex=True)
    rows = np.flatnonzero((judged.fold >= 0) & np.isfinite(judged.scores).all(1))
    edges = np.linspace(0, 1, CALIBRATION_BINS + 1)
    for column, name in enumerate(judged.candidates):
        p, score = judged.p_success[rows, column], judged.scores[rows, column]
        which = np.clip(np.digitize(p, edges) - 1, 0, CALIBRATION_BINS - 1)
        size = np.bincount(which, minlength=CALIBRATION_BINS)
        shown = size >= 10
        x = np.bincount(which, p, minlength=CALIBRATION_BINS)[shown] / size[shown]
        y = np.bincount(which, score, minlength=CALIBRATION_BINS)[shown] / size[shown]
        upper.plot(x, y, "o-", ms=4, lw=1.2, label=name)
        lower.step(edges[:-1], size, where="post", lw=1)
    upper.plot([0, 1], [0, 1], "--", color=_RANDOM, label="perfect")
    _dress(upper, "", "observed mean score", "Reliability on held-out prompts")
    lower.set(xlabel="predicted probability of success", ylabel="prompts")
    return figure


def plot_importance(importance: Mapping[str, float], top: int = 25) -> Figure:
    """Share of the trees' total gain by dense feature, the largest first."""
    largest = sorted(importance.items(), key=lambda item: item[1])[-top:]
    figure = Figure(figsize=(6, 0.24 * len(largest) + 1), layout="constrained")
    axis = figure.subplots()
    axis.barh([name for name, _ in largest], [value for _, value in largest], color=_ROUTER)
    _dress(axis, "share of gain in the trees", "", "Feature importance", legend=False)
    axis.tick_params(axis="y", labelsize=8)
    return figure


def _dress(axis: Axes, x: str, y: str, title: str, *, legend: bool = True) -> None:
    axis.set(xlabel=x, ylabel=y, title=title)
    axis.grid(alpha=0.25)
    axis.spines[["top", "right"]].set_visible(False)
    if legend:
        axis.legend(fontsize=8, frameon=False)
