"""Learning and judging from partial logs, on pools where everything is known.

    python benchmarks/offpolicy.py --shared ../shared [--pools A,B,…] [--seeds N] [--trials N] [--skip training,coverage,gate]

Each prompt of a real outcome table reveals the score of one candidate only, chosen by an incumbent that routes by
difficulty and explores one decision in ten. Predictors trained from that are judged on full information; so are the
estimators' intervals, and the promotion gate against challengers of known worth. Nothing is timed.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from common import Table, cell, interval, parser, report, say
from judging import read_pools
from offpolicy_log import read_truth
from offpolicy_training import WAYS, compare
from offpolicy_trials import coverage, gate

from turnout.learning.offpolicy import ESTIMATORS

SEEDS = 2
TRIALS = 500
GATE_POOLS = ("mmlu-mixtral-gpt4", "mmlupro-llama31-sizes")
"""The pools that hold more than the 5,000 decisions of a trial."""

CLOSE = 0.02

NAMES = {frozenset({"training"}): "offpolicy_trials", frozenset({"coverage", "gate"}): "offpolicy_training"}
"""Results of the two halves, where they are run apart: together they take hours."""
Figures = dict[str, Any]


def tables(figures: Figures) -> list[Table]:
    """Every table of a run; a run of some parts has fewer."""
    found = []
    if figures["training"]:
        found.append(_training(figures["training"]))
    if figures["coverage"]:
        found.append(_coverage(figures["coverage"]))
    if figures["gate"]:
        found.append(_gate(figures["gate"]))
    return found


def _training(rows: Sequence[Figures]) -> Table:
    columns = ("pool", "prompts", "partial log", "full, as many scores", "naive", "full, all scores")
    keys = (*WAYS, "partial_over_as_many", "partial_over_naive")
    cells = [_training_row(row["pool"], row["prompts"], [row[key] for key in keys]) for row in rows]
    means = [_mean([row[key] for row in rows]) for key in keys]
    cells.append(_training_row(f"mean of {len(rows)}", sum(row["prompts"] for row in rows), means))
    gap, gain = means[4], means[5]
    note = (
        f"Targets on the mean: at most {CLOSE} under full information with as many scores ({gap[0]:+.3f}: "
        f"{'reached' if gap[0] >= -CLOSE else 'MISSED'}), and above naive training ({gain[0]:+.3f}, interval above 0: "
        f"{'reached' if gain[1] > 0 else 'MISSED'}). Naive: holes are filled from each candidate's own rows."
    )
    title = "apgr of predictors, judged on full information (five folds by group)"
    return Table(title, (*columns, "partial − as many", "partial − naive"), cells, note)


def _training_row(name: str, prompts: int, figures: Sequence[Sequence[float]]) -> list[object]:
    return [name, prompts, *(figure[0] for figure in figures[:4]), *(interval(figure) for figure in figures[4:])]


def _mean(figures: Sequence[Sequence[float]]) -> list[float]:
    """The mean over pools; half-widths add as of independent figures."""
    values, lows, highs = np.array(figures).T
    n = len(values)
    low, high = (float(np.sqrt(((values - bound) ** 2).sum()) / n) for bound in (lows, highs))
    return [float(values.mean()), float(values.mean()) - low, float(values.mean()) + high]


def _coverage(rows: Sequence[Figures]) -> Table:
    cells = [
        [row["pool"], row["decisions"], row["worth"]]
        + [f"{row[f'{name}_coverage']:.1%}" for name in ESTIMATORS]
        + [cell(row[f"{name}_rmse"]) for name in ESTIMATORS]
        for row in rows
    ]
    columns = ["pool", "decisions", "worth", *ESTIMATORS, *(f"{name} error" for name in ESTIMATORS)]
    note = (
        "Target: 90 to 99 %. The direct method is as wrong as its model, which no interval over rows can show; nothing is "
        "decided by it. Errors are root mean squares."
    )
    return Table(f"95 % intervals that cover the truth, {rows[0]['trials']} logs", columns, cells, note)


def _gate(rows: Sequence[Figures]) -> Table:
    cells = [
        [
            row["pool"],
            f"{row['true_points']:+.2f}",
            f"{row['promoted']:.1%}",
            f"[{row['interval'][0]:.1%}, {row['interval'][1]:.1%}]",
        ]
        for row in rows
    ]
    note = "Targets: a worse challenger in at most 5 % of the trials, one that is 3 points better in at least 80 %."
    title = f"Promotions after 5,000 logged decisions, {rows[0]['trials']} trials each"
    return Table(title, ("pool", "points better", "promoted", "95 %"), cells, note)


def main() -> None:
    """Run it."""
    options = parser(__doc__)
    options.add_argument("--pools", default="", help="only these, by name")
    options.add_argument("--seeds", type=int, default=SEEDS, help="logs of each pool to train from")
    options.add_argument("--trials", type=int, default=TRIALS, help="logs for intervals and for the gate")
    options.add_argument("--skip", default="", help="parts to leave out: training, coverage, gate")
    chosen = options.parse_args()
    warnings.simplefilter("ignore")
    skip = set(filter(None, chosen.skip.split(",")))
    wanted = set(filter(None, chosen.pools.split(",")))
    figures: Figures = {"training": [], "coverage": [], "gate": []}
    for pool in read_pools(chosen.shared):
        if wanted and pool.name not in wanted:
            continue
        truth = read_truth(pool)
        if "training" not in skip:
            figures["training"].append(compare(truth, chosen.seeds, say))
        if "coverage" not in skip:
            figures["coverage"].append(coverage(truth, chosen.trials, say))
        if "gate" not in skip and pool.name in GATE_POOLS:
            figures["gate"] += gate(truth, chosen.trials, say)
    whole = not wanted and chosen.seeds >= SEEDS and chosen.trials >= TRIALS
    report(
        NAMES.get(frozenset(skip), "offpolicy"),
        chosen,
        tables(figures),
        figures,
        whole=whole and (frozenset(skip) in NAMES or not skip),
    )


if __name__ == "__main__":
    main()
