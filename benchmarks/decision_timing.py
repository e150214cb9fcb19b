"""One measurement of `decision.py` in a process of its own: whole decisions, or one taken apart into its steps.

    python benchmarks/decision_timing.py PREDICTOR PROMPTS.json (rules | no-rules | plain) [--steps]

PROMPTS.json holds the lists `warm_up` and `prompts`; each prompt is met for the first time, and every 50 decisions the
snapshot is another one. `rules` decides under decision.yaml, `no-rules` under the same without its rules, `plain`
without a configuration. Prints nanoseconds by prompt: `first` and, of the processor alone, `first_cpu`; how often each
rule spoke, `spoke`; and how often each candidate was chosen, `chosen`. With --steps: by prompt and step.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from time import perf_counter_ns, thread_time_ns
from typing import Any

from decision_world import CONFIGURATION, SNAPSHOT_EVERY, hints, snapshots
from route_timing import Stopwatch

from turnout import Router
from turnout.config.loader import load
from turnout.policy import choosing, decide, policy, router
from turnout.policy.conversations import Conversations
from turnout.policy.facts import FactSheet
from turnout.policy.privacy import SecretScanner
from turnout.policy.rules import RuleBook
from turnout.predictor.model import Predictor
from turnout.types import Hints, Snapshot

STEPS: tuple[tuple[str, Any, str], ...] = (
    ("features", router, "extract"),
    ("prediction", Predictor, "predict"),
    ("new snapshot", policy.Policy, "moment"),
    ("facts and privacy", RuleBook, "facts"),
    ("privacy scan", SecretScanner, "scan_request"),
    ("facts into the engine", FactSheet, "context"),
    ("facts into the engine", FactSheet, "lean_context"),
    ("rules and engine", RuleBook, "apply"),
    ("rules and engine", RuleBook, "apply_after"),
    ("shortlist", choosing, "shortlist"),
    ("rank", choosing, "rank"),
    ("rank", choosing, "settle"),
    ("conversations", Conversations, "last"),
    ("conversations", Conversations, "note"),
    ("decision object", decide, "Decision"),
)
"""Steps and where `route()` calls them. Two of them hold others, which are taken out of them below."""


def make_router(folder: Path, variant: str) -> Router:
    """A router under the configuration, under the same without rules, or without any."""
    if variant == "plain":
        return Router.load(folder)
    configuration = load(CONFIGURATION, environment={}).configuration
    if variant == "no-rules":
        configuration = replace(configuration, routing=replace(configuration.routing, rules=()))
    return Router.load(folder, configuration=policy.Policy(configuration))


Ask = tuple[str, Hints, Snapshot | None]


def asked(prompts: list[str], variant: str) -> list[Ask]:
    """What is asked beside each prompt; without a configuration nothing is."""
    if variant == "plain":
        return [(prompt, Hints(), None) for prompt in prompts]
    names = load(CONFIGURATION, environment={}).configuration.candidates
    world = snapshots(names, len(prompts) // SNAPSHOT_EVERY + 1)
    told = hints(len(prompts))
    return [(prompt, told[n], world[n // SNAPSHOT_EVERY]) for n, prompt in enumerate(prompts)]


def time_whole(routing: Router, asks: list[Ask]) -> dict[str, Any]:
    """Nanoseconds of each decision, by the clock and of the processor, and what came out."""
    spent, worked = [], []
    spoke: Counter[str] = Counter()
    chosen: Counter[str] = Counter()
    for prompt, told, world in asks:
        started, started_work = perf_counter_ns(), thread_time_ns()
        decision = routing.route(prompt, hints=told, snapshot=world)
        worked.append(thread_time_ns() - started_work)
        spent.append(perf_counter_ns() - started)
        spoke.update(decision.rules)
        chosen[decision.candidate] += 1
    return {"first": spent, "first_cpu": worked, "spoke": spoke, "chosen": chosen}


def time_steps(routing: Router, watch: Stopwatch, asks: list[Ask]) -> list[dict[str, int]]:
    """Nanoseconds of each step of each decision."""
    spent = []
    for prompt, told, world in asks:
        watch.spent.clear()
        started = perf_counter_ns()
        routing.route(prompt, hints=told, snapshot=world)
        whole = perf_counter_ns() - started
        step = dict.fromkeys((name for name, _, _ in STEPS), 0) | watch.spent
        rest = whole - sum(
            value for name, value in step.items() if name not in ("privacy scan", "facts into the engine")
        )
        step["facts"] = step.pop("facts and privacy") - step["privacy scan"]
        step["rules"] = step.pop("rules and engine") - step["facts into the engine"]
        step["rest"] = rest
        spent.append(step)
    return spent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("predictor", type=Path)
    parser.add_argument("prompts", type=Path)
    parser.add_argument("variant", choices=("rules", "no-rules", "plain"))
    parser.add_argument("--steps", action="store_true")
    options = parser.parse_args()
    texts = json.loads(options.prompts.read_bytes())
    warm_up, asks = (asked(texts[key], options.variant) for key in ("warm_up", "prompts"))
    watch = Stopwatch()
    if options.steps:  # before the policy binds what it calls
        watch_steps(watch)
    routing = make_router(options.predictor, options.variant)
    time_whole(routing, warm_up)
    print(json.dumps(time_steps(routing, watch, asks) if options.steps else time_whole(routing, asks)))


def watch_steps(watch: Stopwatch) -> None:
    """Put the stopwatch where the steps are called."""
    for step in STEPS:
        watch.watch(*step)


if __name__ == "__main__":
    main()
