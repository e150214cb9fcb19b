"""Day zero: what the base predictor knows of language models and prompts that nobody logged, and how own labels take over.

    python benchmarks/day_zero.py --shared ../shared [--skip models,pools] [--folds N]

Leave one language model out: Brier scores against "the mean of all" and "the mean of those of its size", rank correlation of means.
Leave one table out: apgr of every pool before any label, then with 50 to 5,000 own ones, against own labels alone.
"""

from __future__ import annotations

import time
import warnings
from typing import Any

import numpy as np
from common import Table, cell, interval, parser, report, say
from day_zero_models import FOLDS, leave_models_out, summary
from day_zero_pools import LABELS, learning_curves
from day_zero_tables import read_world
from judging import read_pools

Figures = dict[str, Any]
RANK_AIM = 0.85
MOST_LABELS = max(LABELS)


def models_table(found: Figures) -> Table:
    """Left-out language models against the yardsticks."""
    rows = [
        ["Brier of the base predictor", found["brier"], ""],
        ["mean of all others", found["brier_of_all"], interval(found["better_than_all"])],
        ["mean of those of its size", found["brier_of_size"], interval(found["better_than_size"])],
        ["rank correlation of means, all tables", found["rank"], f"aim {RANK_AIM}"],
        *[[f"  within {name}", value, f"{n} models"] for name, (value, n) in found["rank_by_table"].items()],
        ["means inside their 90 % interval", found["covered"], ""],
    ]
    note = "Differences are averaged over language models, with 95 % bootstrap intervals over them; above 0 is better."
    return Table(
        f"{found['models']} language models, each left out ({found['entries']} means)",
        ["what", "", "better by"],
        rows,
        note,
    )


def pools_table(pools: list[Figures]) -> Table:
    """Pools before any label."""
    rows = [
        [
            one["pool"],
            one["prompts"],
            interval(one["zero"]["apgr"]),
            cell(one["zero"]["offload_1pt"][0]),
            cell(one["zero"]["brier"][0]),
        ]
        for one in pools
    ]
    values = np.array([one["zero"]["apgr"] for one in pools])
    half = np.sqrt(((values[:, 2] - values[:, 1]) ** 2).sum()) / 2 / len(pools)
    mean = float(values[:, 0].mean())
    rows.append(
        [
            f"mean of {len(pools)}",
            sum(one["prompts"] for one in pools),
            interval([mean, mean - half, mean + half]),
            "",
            "",
        ]
    )
    note = "apgr with 95 % bootstrap intervals over prompts; random is .5. The whole table of a pool was left out of training."
    return Table("no label yet", ["pool", "prompts", "apgr", "offload at 1 pt", "Brier, cheapest"], rows, note)


def curve_table(pools: list[Figures]) -> Table:
    """apgr by labels."""
    rows = []
    for one in pools:
        for point in one["curve"]:
            gain, error = point["over_own"]
            told = f"{gain:+.3f}" + ("" if error is None else f" ± {2 * error:.3f}")
            ways = [point[way]["apgr"] for way in ("base", "base, moved", "own", "both")]
            rows.append([one["pool"], point["labels"], *ways, told])
    for labels in sorted({point["labels"] for one in pools for point in one["curve"]}):
        points = [point for one in pools for point in one["curve"] if point["labels"] == labels]
        ways = [
            float(np.mean([point[way]["apgr"] for point in points])) for way in ("base", "base, moved", "own", "both")
        ]
        gains = np.array([point["over_own"][0] for point in points])
        errors = [point["over_own"][1] for point in points]
        told = f"{gains.mean():+.3f}"
        if None not in errors:
            told += f" ± {2 * float(np.sqrt(np.sum(np.square(errors)))) / len(errors):.3f}"
        rows.append([f"mean of {len(points)}", labels, *ways, told])
    columns = ["pool", "own labels", "base", "base, moved", "own alone", "both", "both − own"]
    return Table("apgr as own labels come in", columns, rows, "± is two standard errors over draws of the labels.")


def serving(figures: Figures) -> None:
    """Size of what ships, and what a prior adds to one prediction."""
    from turnout.config.paths import base_folder
    from turnout.descriptors import describe
    from turnout.features import extract
    from turnout.predictor.base_artifact import ARRAYS, load_base

    folder = base_folder()
    assert folder is not None
    started = time.perf_counter()
    base = load_base()
    figures["load_s"] = time.perf_counter() - started
    figures["bytes"] = (folder / ARRAYS).stat().st_size
    pair = [describe("lmstudio/qwen2.5-coder-7b-instruct"), describe("ollama/llama3.3:70b")]
    prior = base.lines(pair).serve(base.traits)
    features = extract("Why does this loop never end? for (;;) { i++; }")
    times = []
    for _ in range(2000):
        started = time.perf_counter()
        prior.p_success(prior.traits.of(features)[0])
        times.append(time.perf_counter() - started)
    figures["predict_us"] = [float(np.quantile(times, q)) * 1e6 for q in (0.5, 0.99)]


def main() -> None:
    """Run it."""
    options = parser(__doc__)
    options.add_argument("--skip", default="", help="parts to leave out: models, pools")
    options.add_argument("--folds", type=int, default=FOLDS, help="folds of language models")
    options.add_argument("--labels", type=int, default=MOST_LABELS, help="the most own labels")
    chosen = options.parse_args()
    warnings.simplefilter("ignore")
    skip = set(filter(None, chosen.skip.split(",")))
    figures: Figures = {}
    serving(figures)
    say(f"base predictor: {figures['bytes'] / 1e6:.2f} MB, {figures['predict_us'][0]:.0f} µs a prediction")
    world = read_world(chosen.shared)
    tables = []
    if "models" not in skip:
        figures["models"] = leave_models_out(world, chosen.folds)
        figures["summary"] = summary(figures["models"])
        tables.append(models_table(figures["summary"]))
    if "pools" not in skip:
        figures["pools"] = learning_curves(world, read_pools(chosen.shared), chosen.labels)
        tables += [pools_table(figures["pools"]), curve_table(figures["pools"])]
    whole = not skip and chosen.folds >= FOLDS and chosen.labels >= MOST_LABELS
    name = "_".join(["day_zero", *(part for part in ("models", "pools") if skip and part not in skip)])
    report(name, chosen, tables, figures, whole=whole)


if __name__ == "__main__":
    main()
