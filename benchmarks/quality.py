"""Routing quality on the shared outcome tables: `turnout evaluate`, judged by the shared judge beside its yardsticks.

    python benchmarks/quality.py --shared ../shared [--pools A,B,…] [--quick]

Every yardstick is computed in this run on the same folds as Turnout: word 1-2-gram TF-IDF with ridge on each
candidate's score, the mean of the prompt's dataset, random at the same share, the best single candidate, the oracle.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import quality_tables
from common import RESULTS, parser, report, say
from judging import (
    Guess,
    Pool,
    dataset_means,
    evaluate,
    judge,
    read_guess,
    read_held,
    read_pools,
    read_table,
    tfidf_ridge,
    write_yardstick,
)

from turnout.files import write_aside
from turnout.learning.metrics import apgr, best_single, bootstrap, chance_calibration_error

ROUTELLM_POOL = "mmlu-mixtral-gpt4"
ROUTELLM_PROMPTS = 1500
ROUTELLM_SEEDS = range(5)
BROKEN_DATASET = "high_school_mathematics"
"""GPT-4 gets 3 % of it in this table, almost certainly wrong labels."""

Figures = dict[str, Any]


class Bench:
    """One run: where the judge is, where predictions go, how many bootstrap draws."""

    def __init__(self, shared: Path, folder: Path, draws: int) -> None:
        self.shared, self.folder, self.draws = shared, folder, draws

    def turnout(self, pool: Pool, *extra: str) -> tuple[Path, Figures]:
        """Predictions of `turnout evaluate` and what the judge says of them."""
        started = time.perf_counter()
        output = evaluate(pool, self.folder / "turnout.parquet", *extra)
        figures = judge(self.shared, pool, output, self.draws)
        figures["candidates"] = figures.pop("pool")
        say(f"{' '.join((pool.name, *extra))}: apgr {figures['apgr'][0]:.3f} ({time.perf_counter() - started:.0f} s)")
        return output, figures

    def yardstick(self, pool: Pool, predictions: Path, guess: Guess) -> tuple[Path, Figures]:
        """The same for a yardstick on the folds of those predictions; point values."""
        output = self.folder / f"{guess.__name__}.parquet"
        write_yardstick(pool, read_held(pool, predictions), guess, output)
        return output, judge(self.shared, pool, output, 0)

    def in_domain(self, pool: Pool) -> Figures:
        """Everything about one pool, out of fold by group."""
        predictions, own = self.turnout(pool)
        ridge_predictions, ridge = self.yardstick(pool, predictions, tfidf_ridge)
        held = read_held(pool, predictions)
        guess, ridge_guess = (read_guess(pool, held, path) for path in (predictions, ridge_predictions))
        return {
            "pool": pool.name,
            **own,
            "tfidf_apgr": ridge["apgr"],
            "tfidf_offload_1pt": ridge["offload_1pt"],
            "ece_by_chance": chance_calibration_error(guess[:, 0]),
            "apgr_over_tfidf": paired_difference(held.scores, guess, ridge_guess, self.draws),
        }

    def only_candidates(self, pool: Pool, with_others: Figures) -> Figures:
        """The pool without what other models of the table did; the same figures where it holds no others."""
        others = sorted(set(read_table(pool)["model"].unique()) - set(pool.candidates))
        alone = self.turnout(pool, "--only-candidates")[1] if others else with_others
        return {
            "pool": pool.name,
            "other_models": len(others),
            **{key: alone[key] for key in ("apgr", "offload_1pt", "ece")},
            "with_others_apgr": with_others["apgr"],
            "tfidf_apgr": with_others["tfidf_apgr"],
        }

    def unseen_datasets(self, pool: Pool, in_domain: Figures) -> Figures | None:
        """Whole datasets held out; None for a pool of fewer than five."""
        n_datasets = read_table(pool)["dataset"].nunique()
        if n_datasets < 5:
            return None
        predictions, own = self.turnout(pool, "--split", "dataset")
        return {
            "pool": pool.name,
            "datasets": int(n_datasets),
            **{key: own[key] for key in ("apgr", "offload_1pt", "random_offload_1pt", "ece")},
            "tfidf_apgr": self.yardstick(pool, predictions, tfidf_ridge)[1]["apgr"],
            "in_domain_apgr": in_domain["apgr"],
            "in_domain_tfidf_apgr": in_domain["tfidf_apgr"],
        }

    def routellm(self, pool: Pool) -> list[Figures]:
        """RouteLLM's own recipe: learn from few prompts, judge on all others, for several draws of the few."""
        rows = []
        for seed in ROUTELLM_SEEDS:
            predictions, own = self.turnout(pool, "--train-size", str(ROUTELLM_PROMPTS), "--seed", str(seed))
            yardsticks = {guess: self.yardstick(pool, predictions, guess)[1] for guess in (tfidf_ridge, dataset_means)}
            rows.append(
                {
                    "seed": seed,
                    "prompts": own["prompts"],
                    "apgr_routellm": own["apgr_routellm"],
                    "tfidf_apgr_routellm": yardsticks[tfidf_ridge]["apgr_routellm"],
                    "lookup_apgr_routellm": yardsticks[dataset_means]["apgr_routellm"],
                }
            )
        return rows

    def without_broken_dataset(self, pool: Pool) -> Figures:
        """The pool without the prompts whose labels are wrong, from a copy of its table."""
        table = pd.read_parquet(pool.table)
        copy = self.folder / pool.table.name
        table[table["dataset"] != BROKEN_DATASET].to_parquet(copy, index=False)
        return self.in_domain(Pool(f"{pool.name} without {BROKEN_DATASET}", copy, pool.dataset, pool.candidates))


def paired_difference(scores: Any, guess: Any, other: Any, draws: int) -> list[float]:
    """apgr of `guess` less that of `other` on the same prompts, with its 95 % bootstrap interval."""
    best, ties = best_single(scores), np.random.default_rng(0).random(len(scores))

    def difference(rows: Any) -> dict[str, float]:
        own, theirs = (apgr(scores[rows], p[rows, best] - p[rows, 0], ties[rows], best) for p in (guess, other))
        return {"difference": own - theirs}

    figure = bootstrap(difference, len(scores), draws)["difference"]
    return [round(value, 4) for value in (figure.value, figure.low, figure.high)]


def measure(bench: Bench, pools: list[Pool]) -> Figures:
    """Every section for the given pools."""
    in_domain = {pool.name: bench.in_domain(pool) for pool in pools}
    figures: Figures = {
        "in_domain": list(in_domain.values()),
        "only_candidates": [bench.only_candidates(pool, in_domain[pool.name]) for pool in pools],
        "unseen_datasets": [row for pool in pools if (row := bench.unseen_datasets(pool, in_domain[pool.name]))],
    }
    for pool in pools:
        if pool.name == ROUTELLM_POOL:
            figures["routellm"] = bench.routellm(pool)
            figures["without_broken_dataset"] = [bench.without_broken_dataset(pool), in_domain[pool.name]]
    return figures


def main() -> None:
    options = parse()
    pools = read_pools(options.shared)
    wanted = [name for name in options.pools.split(",") if name] or [pool.name for pool in pools]
    unknown = set(wanted) - {pool.name for pool in pools}
    if unknown:
        raise SystemExit(f"no pool {', '.join(sorted(unknown))}; there are: {', '.join(pool.name for pool in pools)}")
    whole = len(wanted) == len(pools) and not options.quick
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(options.shared, Path(folder), 20 if options.quick else 200)
        figures = measure(bench, [pool for pool in pools if pool.name in wanted])
    tables = quality_tables.tables(figures)
    report("quality", options, tables, figures, whole=whole)
    if whole or options.results:
        page = quality_tables.page(tables)
        write_aside(options.results / "quality.md" if options.results else RESULTS.parent / "quality.md", page.encode())


def parse() -> argparse.Namespace:
    options = parser(__doc__ or "")
    options.add_argument("--pools", default="", metavar="A,B,…", help="only these pools")
    options.add_argument("--quick", action="store_true", help="20 bootstrap draws instead of 200")
    return options.parse_args()


if __name__ == "__main__":
    main()
