"""One measurement of `route.py` in a process of its own: `route()` as it is, or taken apart into its steps.

    python benchmarks/route_timing.py PREDICTOR PROMPTS.json [--steps]

PROMPTS.json holds the lists `warm_up` and `prompts`. Each prompt is met for the first time, as in service, so that no
cache knows it. Prints nanoseconds by prompt: `first` and, of the processor alone, `first_cpu`; then a second pass,
`again`. With --steps it prints them by prompt and step.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from pathlib import Path
from time import perf_counter_ns, thread_time_ns
from typing import Any

from turnout import Router
from turnout.features import extractor
from turnout.features.task import TaskModel
from turnout.policy import router as policy
from turnout.predictor.linear import NgramModel
from turnout.predictor.model import Predictor
from turnout.predictor.trees import Forest

STEPS: tuple[tuple[str, Any, str], ...] = (
    ("features", policy, "extract"),
    ("read", extractor, "read_prompt"),
    ("surface", extractor, "surface_vector"),
    ("n-grams", extractor, "hash_words"),
    ("n-grams", extractor, "ngram_buckets"),
    ("task", TaskModel, "judge"),
    ("prediction", Predictor, "predict"),
    ("n-gram model", NgramModel, "predict_one"),
    ("trees", Forest, "predict_one"),
)
"""Steps and where `route()` calls them. `features` and `prediction` contain the steps below them."""


class Stopwatch:
    """Adds up the time inside functions at the places from where they are really called."""

    def __init__(self) -> None:
        self.spent: dict[str, int] = defaultdict(int)

    def watch(self, step: str, owner: Any, name: str) -> None:
        """Replace `owner.name` by a function that does the same and adds its time to the step."""
        inner = getattr(owner, name)

        def timed(*arguments: Any, **options: Any) -> Any:
            started = perf_counter_ns()
            result = inner(*arguments, **options)
            self.spent[step] += perf_counter_ns() - started
            return result

        setattr(owner, name, timed)


def time_route(router: Router, prompts: list[str]) -> tuple[list[int], list[int]]:
    """Nanoseconds of each call, by the clock and of the processor."""
    spent, worked = [], []
    for prompt in prompts:
        started, started_work = perf_counter_ns(), thread_time_ns()
        router.route(prompt)
        worked.append(thread_time_ns() - started_work)
        spent.append(perf_counter_ns() - started)
    return spent, worked


def time_steps(router: Router, prompts: list[str]) -> list[dict[str, int]]:
    """Nanoseconds of each step of each call; what no step covers goes to the rest of its whole."""
    watch = Stopwatch()
    for step in STEPS:
        watch.watch(*step)
    spent = []
    for prompt in prompts:
        watch.spent.clear()
        started = perf_counter_ns()
        router.route(prompt)
        whole = perf_counter_ns() - started
        step = dict(watch.spent)
        features, prediction = step.pop("features"), step.pop("prediction")
        parts = sum(step[name] for name in ("read", "surface", "n-grams", "task"))
        step["rest of the features"] = features - parts
        step["blend, calibration, expense"] = prediction - step["n-gram model"] - step["trees"]
        step["decision"] = whole - features - prediction
        spent.append(step)
    return spent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("predictor", type=Path)
    parser.add_argument("prompts", type=Path)
    parser.add_argument("--steps", action="store_true")
    options = parser.parse_args()
    asked = json.loads(options.prompts.read_bytes())
    router = Router.load(options.predictor)
    time_route(router, asked["warm_up"])
    if options.steps:
        print(json.dumps(time_steps(router, asked["prompts"])))
    else:
        (first, first_cpu), (again, _) = (time_route(router, asked["prompts"]) for _ in range(2))
        print(json.dumps({"first": first, "first_cpu": first_cpu, "again": again}))


if __name__ == "__main__":
    main()
