"""What a decision under a configuration costs: 30 rules, 8 candidates, privacy scan, learned scores, one thread.

    python benchmarks/decision.py --shared ../shared

The predictor is fitted on the bundled history with three more simulated candidates; the rules are those of
decision.yaml, which read every variable there is, secrets among them; the prompts are 400 of each shared table, none
of which anything has seen. The snapshot of providers and resources changes every 50 decisions. Each measurement runs in
three processes of its own, of which the least disturbed one counts, as in `route.py`. Beside it: the same configuration
without rules, and no configuration at all.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from common import PROMPTS, Table, parser, report, say
from decision_world import SNAPSHOT_EVERY, fit_eight
from route import REPEATS, Figures, microseconds, run, sample_prompts

from turnout.learning.simulation import read_prompts
from turnout.predictor import Predictor

P50_TARGET_US, P99_TARGET_US = 500, 3000
VARIANTS = {
    "rules": "30 rules",
    "no-rules": "the same without rules",
    "plain": "no configuration",
}


def measure(predictor: Predictor, folder: Path, prompts: list[str], names: list[str]) -> Figures:
    """Whole decisions of each variant, by table where there are rules, and the steps, in microseconds."""
    texts = folder / "prompts.json"
    warm_up = [row.prompt for row in read_prompts(PROMPTS) if row.part == "heldout"]
    texts.write_text(json.dumps({"warm_up": warm_up, "prompts": prompts}))
    runs: dict[str, list[Figures]] = {variant: [] for variant in VARIANTS}
    for repeat in range(REPEATS):
        say(f"decisions, {repeat + 1} of {REPEATS} ...")
        for variant, found in runs.items():
            found.append(run("decision_timing.py", folder, texts, variant))
    best = {variant: min(found, key=lambda one: np.median(one["first"])) for variant, found in runs.items()}
    say("steps ...")
    apart = [pd.DataFrame(run("decision_timing.py", folder, texts, "rules", "--steps")) for _ in range(REPEATS)]
    steps = min(apart, key=lambda one: one.sum(axis=1).median())
    steps = steps[steps.sum().sort_values(ascending=False).index]
    tables, words = np.array(names), np.array([len(prompt.split()) for prompt in prompts])
    first = np.array(best["rules"]["first"])
    return {
        "candidates": len(predictor.candidates),
        "trees": len(predictor.forest.feature),
        "prompts": len(prompts),
        "variants": {
            variant: {
                "first_sight": microseconds(one["first"]),
                "first_sight_cpu": microseconds(one["first_cpu"]),
                "p50_of_each_run": [microseconds(other["first"])["p50"] for other in runs[variant]],
            }
            for variant, one in best.items()
        },
        "tables": {
            name: {"median_words": int(np.median(words[tables == name])), **microseconds(first[tables == name])}
            for name in sorted(set(names))
        },
        "steps": {
            step: {**microseconds(steps[step]), "share": float(steps[step].sum() / steps.to_numpy().sum())}
            for step in steps
        },
        "rules_spoke": best["rules"]["spoke"],
        "chosen": best["rules"]["chosen"],
    }


def tables(figures: Figures) -> list[Table]:
    """What is printed."""
    keys = ("p50", "p99", "max")
    rows: list[list[object]] = [
        [f"30 rules, {name}", part["median_words"], *(part[key] for key in keys), None]
        for name, part in figures["tables"].items()
    ]
    for variant, told in VARIANTS.items():
        part = figures["variants"][variant]
        rows.append([told, None, *(part["first_sight"][key] for key in keys), part["first_sight_cpu"]["p99"]])
    rows.insert(len(figures["tables"]) + 1, ["target", None, P50_TARGET_US, P99_TARGET_US, None, None])
    p50s = ", ".join(f"{p50:.0f}" for p50 in figures["variants"]["rules"]["p50_of_each_run"])
    steps = [
        [name, f"{step['p50']:.0f}", f"{step['p99']:.0f}", f"{step['share']:.1%}"]
        for name, step in figures["steps"].items()
    ]
    return [
        Table(
            f"A decision among {figures['candidates']} candidates, {figures['trees']:,} trees, one thread: µs",
            ["under", "median words", *keys, "p99 of the processor"],
            [[f"{value:.0f}" if isinstance(value, float) else value for value in row] for row in rows],
            f"Each of {figures['prompts']:,} prompts at first sight, another snapshot every {SNAPSHOT_EVERY}; the least "
            f"disturbed of {REPEATS} runs (p50 {p50s}). The processor's time leaves out waiting for it. "
            f"{len(figures['rules_spoke'])} of 30 rules decided something, {sum(figures['rules_spoke'].values()):,} "
            f"times in all; {len(figures['chosen'])} candidates were chosen.",
        ),
        Table("Its steps, with 30 rules: µs", ["step", "p50", "p99", "share of the time"], steps),
    ]


def main() -> None:
    options = parser(__doc__ or "").parse_args()
    prompts, names = sample_prompts(options.shared)
    with tempfile.TemporaryDirectory() as folder:
        say("fitting on the bundled history and three candidates more ...")
        predictor = fit_eight(Path(folder))
        figures = measure(predictor, Path(folder), prompts, names)
    report("decision", options, tables(figures), figures, whole=True)


if __name__ == "__main__":
    main()
