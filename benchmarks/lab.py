"""The laboratory's targets, live: real language models on their engine, routed by what was learned of them on the way.

    python benchmarks/lab.py [--seeds 5] [--requests 3000] [--judged 600]

For each seed live requests, each judged by a program and fed back, make a history, with exploration that takes every
candidate alike. The real retraining job learns from it twice: from nothing else, and with the shipped history of
data/lab beside it, which is what a newcomer has. Then other prompts, of work that was in none of the former, are routed
by either champion without exploration, with escalation as it is by default, and all other candidates are asked the same
prompts beside it, in an order drawn for each, so that every yardstick is measured on the same prompts in the same
minutes. Everything is greedy. Seconds are of the whole `complete` call, log-probabilities and second answers included,
and beside them of the calls to the engine alone. What escalating more would do is computed from the same answers.

`PREFERENCES` were chosen on seeds that are never among those judged, and stay as they are whatever they come to: see there.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import numpy as np
from common import parser, report, say
from lab_life import live
from lab_rows import NOTHING, SHIPPED, STARTS, Life, Plan
from lab_tables import aims, tables
from lab_trust import ORDERS, TRUSTS, auc, doubts, recovered, rights, trusts
from lab_worth import by_preference, mean_curve, preferred, ways

SEEDS: Final = 5
REQUESTS: Final = 3000
JUDGED: Final = 600

FIRST_SEED: Final = 1
"""Seed 0 made the shipped table."""

PREFERENCES: Final = {NOTHING: 0.3, SHIPPED: 0.3}
"""Of probability of success for one call to the most expensive candidate. By `lab_worth.preferred` on seeds 100 to 102, before
any seed of the five was run: of `CURVE` the preference that loses least where routing takes at most .48 of always strong's
seconds. To be chosen again, in the same way, when a language model of the laboratory is replaced or learning from logs
changes: `python benchmarks/lab.py --first-seed 100 --seeds 3` says which they are."""

CURVE: Final = (0.0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.75, 1.0)
"""Preferences that decide about the same prompts, for the table; nobody is judged by them."""

EXPLORATION: Final = 2 / 3
"""While the history grows. Of three candidates each is taken by a third: what is not known yet is worth as much about one
as about another, and nothing has to be served well meanwhile."""

ESCALATED: Final = (0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5)
"""Shares of the fast candidate's answers that are escalated."""

Figures = dict[str, Any]


def one_seed(seed: int, folder: Path, plan: Plan) -> dict[str, Figures]:
    """Everything about one seed, by start."""
    say(f"seed {seed}:")
    began = time.perf_counter()
    lives = asyncio.run(live(folder, seed, plan))
    found = {}
    for start, life in lives.items():
        gate = life.gate
        say(f"  {start} {'promoted' if gate['promoted'] else 'NOT promoted, served all the same'}: {gate['why']}")
        found[start] = {
            "seed": seed,
            "candidates": list(life.candidates),
            "gate": {name: gate[name] for name in ("promoted", "verdict", "why")},
            **worth(life),
            "trust": trust(life),
            "parts_s": life.seconds,
        }
    say(f"  done in {time.perf_counter() - began:.0f} s")
    return found


def worth(life: Life) -> Figures:
    """Routing against its yardsticks, in whole calls and in calls to the engine, and by preference."""
    names = life.candidates
    right, total_s, engine_s = (
        np.array([[getattr(row.replies[name], field) for name in names] for row in life.judged])
        for field in ("right", "total_s", "engine_s")
    )
    choice = np.array([names.index(row.answered) for row in life.judged])
    served_right, served_s, served_engine_s = (
        np.array([getattr(row.served, field) for row in life.judged]) for field in ("right", "total_s", "engine_s")
    )
    curve = {
        preference: np.array([names.index(row.routed[preference]) for row in life.judged])
        for preference in life.judged[0].routed
    }
    found = ways(right, total_s, choice, (served_right, served_s))
    expected_s = [[row.expected_s[name] or np.nan for name in names] for row in life.judged]
    return {
        "ways": found,
        "ways_engine": ways(right, engine_s, choice, (served_right, served_engine_s)),
        "escalated": float(np.mean([row.escalated for row in life.judged])),
        "curve": by_preference(right, total_s, curve, found["always strong"]),
        "expected_s": np.nanmean(expected_s, axis=0).tolist(),
        "measured_s": total_s.mean(0).tolist(),
    }


def trust(life: Life) -> Figures:
    """How well each measure tells right answers of the fast candidate, and what escalating by it recovers."""
    fast, strong = (rights(life.judged, name) for name in (life.candidates[0], life.candidates[-1]))
    measures = trusts(life)
    routed = np.array([row.chosen == life.candidates[0] for row in life.judged])
    orders = doubts(life, measures["fitted"])
    traffics = {"routed to fast": routed, "always fast": np.ones(len(routed), bool)}
    return {
        "auc": {name: auc(measures[name], fast) for name in TRUSTS},
        **{
            traffic: {name: recovered(orders[name][rows], fast[rows], strong[rows], ESCALATED) for name in ORDERS}
            for traffic, rows in traffics.items()
        },
    }


def main() -> None:
    """Run it."""
    options = parser(__doc__)
    options.add_argument("--seeds", type=int, default=SEEDS, help="histories that grow")
    options.add_argument("--requests", type=int, default=REQUESTS, help="live requests to learn from, for each seed")
    options.add_argument("--judged", type=int, default=JUDGED, help="further requests to judge by, for each seed")
    options.add_argument("--first-seed", type=int, default=FIRST_SEED, help="of those; 100 to 102 are for development")
    chosen = options.parse_args()
    plan = Plan(chosen.requests, chosen.judged, PREFERENCES, EXPLORATION, CURVE)
    began = time.perf_counter()
    seeds = []
    for seed in range(chosen.first_seed, chosen.first_seed + chosen.seeds):
        with tempfile.TemporaryDirectory() as folder:
            seeds.append(one_seed(seed, Path(folder), plan))
    starts = {start: [seed[start] for seed in seeds] for start in STARTS}
    for start, each in starts.items():
        say(f"{start} development would choose a preference of {preferred(mean_curve(one['curve'] for one in each)):g}")
    made = tables(starts, plan)
    figures = {
        "aims": [list(aim) for aim in aims(starts)],
        "tables": [{"title": t.title, "columns": t.columns, "rows": t.rows, "note": t.note} for t in made],
        "preferences": PREFERENCES,
        "exploration": EXPLORATION,
        "requests": plan.learned,
        "judged": plan.judged,
        "starts": starts,
        "seconds": round(time.perf_counter() - began, 1),
    }
    enough = chosen.seeds >= SEEDS and plan.learned >= REQUESTS and plan.judged >= JUDGED
    report("lab", chosen, made, figures, whole=chosen.first_seed == FIRST_SEED and enough)


if __name__ == "__main__":
    main()
