"""What the hybrid client adds to calling an adapter: decision, attempts, judging, cache miss and history, at one request.

    python benchmarks/orchestration.py [--rounds N] [--kinds ollama]

The upstream is that of `overhead.py`: canned answers in a process of its own, no delay. The client runs the example
configuration with its rules, a champion, the exact cache (every request is repeatable and unlike all before it) and the
history on SQLite. Rounds go through the ways of asking in changing order; what a round's client leaves for the
background is waited for before the next begins. Differences are taken within each round; figures are medians of rounds.
The machine may be busy with others, who make everything slower, so aims are of what is left when each way is taken from
its least disturbed round, as `decision.py` does.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from common import Table, parser, report, say
from orchestration_timing import WHOLE, watching
from orchestration_world import LEARNED, Way, ask, opened, requests
from overhead import upstream
from overhead_server import new_loop
from small_champion import fit_small

from turnout import HybridClient
from turnout.providers.ollama import OllamaProvider
from turnout.providers.openai import OpenAIProvider

KINDS = {"openai": OpenAIProvider, "ollama": OllamaProvider}
WAYS = ("adapter", "fleet", "client")
ROUNDS, ALONE, WARM_UP = 11, 100, 40
AIM_US, FIRST_AIM_US, FIRST_BOUND_US = 1000.0, 1000.0, 200_000.0

Figures = dict[str, Any]


async def one_round(way: Way, client: HybridClient, source: Any, streamed: bool) -> Figures:
    """One way of asking, one request after the other."""
    for _ in range(WARM_UP // 4):
        await ask(way, next(source), streamed)
    worked_s = time.process_time()
    took, first = zip(*[await ask(way, next(source), streamed) for _ in range(ALONE)], strict=True)
    worked_us = 1e6 * (time.process_time() - worked_s) / ALONE
    if client.history is not None:
        await asyncio.to_thread(client.history.flush)
    return {
        "p50_us": median(took),
        "p99_us": quantiles(took, n=100)[98],
        "first_p50_us": median(first),
        "first_p99_us": quantiles(first, n=100)[98],
        "processor_us": worked_us,
    }


async def measure(port: int, kind: str, rounds: int, predictor: Path) -> Figures:
    """All ways in every round; the first round warms up and does not count. Then the client taken apart."""
    found: dict[tuple[bool, str], list[Figures]] = defaultdict(list)
    order, source = random.Random(0), requests(seed=1)
    with tempfile.TemporaryDirectory() as name:
        async with opened(port, kind, Path(name), predictor) as (ways, client):
            for number in range(rounds + 1):
                say(f"{kind}, round {number} of {rounds} ..." if number else f"{kind}, warming up ...")
                for streamed in (False, True):
                    for way in order.sample(WAYS, len(WAYS)):
                        figures = await one_round(ways[way], client, source, streamed)
                        found[streamed, way] += [figures] * bool(number)
            steps = {
                told: await take_apart(ways["client"], client, kind, told == "streamed")
                for told in ("whole", "streamed")
            }
    return {
        told: {
            "ways": {way: _middle(found[streamed, way]) for way in WAYS},
            "added": {
                way: {
                    key: _added(found[streamed, "client"], found[streamed, way], key) for key in found[streamed, way][0]
                }
                for way in WAYS[:-1]
            },
            "steps": steps[told],
        }
        for told, streamed in (("whole", False), ("streamed", True))
    }


def _middle(rounds: Sequence[Figures]) -> Figures:
    return {key: round(median(one[key] for one in rounds), 1) for key in rounds[0]}


def _added(client: Sequence[Figures], other: Sequence[Figures], key: str) -> Figures:
    """What the client takes more than another way, within each round."""
    differences = [mine[key] - theirs[key] for mine, theirs in zip(client, other, strict=True)]
    return {
        "median": round(median(differences), 1),
        "undisturbed": round(min(one[key] for one in client) - min(one[key] for one in other), 1),
        "of_each_round": [round(one, 1) for one in differences],
    }


async def take_apart(way: Way, client: HybridClient, kind: str, streamed: bool) -> Figures:
    """Median microseconds of each step of a request."""
    source = requests(seed=3 if streamed else 2)
    taken: list[dict[str, int]] = []
    with watching(KINDS[kind]) as watch:
        for number in range(2 * ALONE):
            watch.take()
            whole_us, _ = await ask(way, next(source), streamed)
            spent = {**watch.take(), WHOLE: round(1000 * whole_us)}
            spent["rest"] = 2 * spent[WHOLE] - sum(spent.values())
            taken += [spent] * (number >= WARM_UP)
            if number % WARM_UP == 0 and client.history is not None:
                await asyncio.to_thread(client.history.flush)
    return {
        step: {
            "p50_us": round(median(one.get(step, 0) for one in taken) / 1000, 1),
            "p99_us": round(quantiles([one.get(step, 0) for one in taken], n=100)[98] / 1000, 1),
        }
        for step in dict.fromkeys(step for one in taken for step in one)
    }


def verdicts(kinds: Figures) -> list[tuple[str, object, object, bool]]:
    """Every aim: what it is of, the figure, the aim, whether it is reached."""
    found: list[tuple[str, object, object, bool]] = []
    for kind, ways in kinds.items():
        for told, figures in ways.items():
            added = figures["added"]["adapter"]["p50_us"]["undisturbed"]
            found.append((f"{kind}, {told}: µs added, p50", added, f"≤ {AIM_US:g}", added <= AIM_US))
        first = ways["streamed"]["added"]["adapter"]
        p50, p99 = first["first_p50_us"]["undisturbed"], first["first_p99_us"]["median"]
        found.append((f"{kind}: µs added to the first content, p50", p50, f"≤ {FIRST_AIM_US:g}", p50 <= FIRST_AIM_US))
        found.append((f"{kind}: the same, p99, median of rounds", p99, f"≤ {FIRST_BOUND_US:g}", p99 <= FIRST_BOUND_US))
    return found


def tables(figures: Figures) -> list[Table]:
    """The ways beside each other, the steps, and every aim."""
    made = []
    for kind, ways in figures["kinds"].items():
        rows = []
        for told, found in ways.items():
            for way in WAYS:
                one = found["ways"][way]
                more = found["added"].get(way, {})
                rows.append(
                    [f"{told}, {way}"]
                    + [
                        f"{one[key]:,.0f}"
                        for key in ("p50_us", "p99_us", "first_p50_us", "first_p99_us", "processor_us")
                    ]
                    + [
                        f"{more[key]['median']:+,.0f}" if more else ""
                        for key in ("p50_us", "first_p50_us", "processor_us")
                    ]
                    + [f"{more['p50_us']['undisturbed']:+,.0f}" if more else ""]
                )
        columns = ["way", "p50", "p99", "first content p50", "p99", "processor"]
        columns += ["client adds p50", "to first", "processor", "p50, least disturbed rounds"]
        note = f"Medians of {figures['rounds']} rounds of {ALONE} requests, one at a time, event loop of {figures['event_loop']}."
        made.append(Table(f"{kind}: µs a request", columns, rows, note))
        steps = {told: found["steps"] for told, found in ways.items()}
        names = sorted(steps["whole"], key=lambda step: -steps["whole"][step]["p50_us"])
        rows = [
            [step, *(steps[told].get(step, {}).get(key) for told in steps for key in ("p50_us", "p99_us"))]
            for step in names
        ]
        made.append(Table(f"{kind}: the client's steps, µs", ["step", "whole p50", "p99", "streamed p50", "p99"], rows))
    aims = [[what, figure, aim, "yes" if reached else "NO"] for what, figure, aim, reached in figures["aims"]]
    return [*made, Table("aims", ["what", "measured", "aim", "reached"], aims)]


def main() -> None:
    options = parser(__doc__ or "")
    options.add_argument("--rounds", type=int, default=ROUNDS, help=f"rounds that count (default: {ROUNDS})")
    options.add_argument("--kinds", default=",".join(KINDS), help=f"separated by commas (default: {','.join(KINDS)})")
    options.add_argument("--predictor", type=Path, help="a champion (default: one is fitted)")
    options = options.parse_args()
    kinds = [kind for kind in options.kinds.split(",") if kind in KINDS]
    if not kinds or options.rounds < 1:
        raise SystemExit(f"one round at least, and kinds among {', '.join(KINDS)}")
    with tempfile.TemporaryDirectory() as name:
        predictor = options.predictor or Path(name)
        if options.predictor is None:
            say("fitting a champion ...")
            fit_small(predictor, LEARNED)
        with upstream() as port, asyncio.Runner(loop_factory=new_loop) as runner:
            loop = type(runner.get_loop()).__module__.partition(".")[0]
            measured = {kind: runner.run(measure(port, kind, options.rounds, predictor)) for kind in kinds}
    figures = {"event_loop": loop, "rounds": options.rounds, "requests": ALONE, "kinds": measured}
    figures["aims"] = verdicts(measured)
    report(
        "orchestration", options, tables(figures), figures, whole=len(kinds) == len(KINDS) and options.rounds >= ROUNDS
    )


if __name__ == "__main__":
    main()
