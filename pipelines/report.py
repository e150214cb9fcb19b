"""What every tracked run shows: metrics with intervals, plots, feature importance."""

from __future__ import annotations

from collections.abc import Mapping

import mlflow

from turnout.learning.evaluation import Evaluation
from turnout.learning.outcomes import OutcomeTable
from turnout.learning.plots import plot_importance, plot_quality, plot_reliability


def log_evaluation(table: OutcomeTable, judged: Evaluation, importance: Mapping[str, float] | None = None) -> None:
    """Log the figures and plots of an evaluation to the active run."""
    for name, figure in judged.figures.items():
        mlflow.log_metrics({name: figure.value, f"{name}_low": figure.low, f"{name}_high": figure.high})
    mlflow.set_tag("alarm", judged.alarm or "none")
    mlflow.log_figure(plot_quality(judged, table.seconds, table.cost_usd), "quality.png")
    mlflow.log_figure(plot_reliability(judged), "reliability.png")
    if importance:
        mlflow.log_figure(plot_importance(importance), "importance.png")
        mlflow.log_dict(dict(sorted(importance.items(), key=lambda item: -item[1])), "importance.json")
