"""Expected seconds against an emulated day of mixed load: loads, queues, long prompts, answers of every length.

    python benchmarks/day.py [--requests 1500] [--speed 20] [--pace 1.2]

An emulated LM Studio (4 slots) and an emulated Ollama (1 slot) run in a process of their own, three language models
each, one of each in memory at a time. Every request is decided by a router under a configuration and with the fleet's
snapshot, then really answered as a stream; what was expected of the chosen candidate is compared with what it took.
Candidates are equally likely to succeed and a second is dear, so the choice is for the fastest. Time runs `--speed` times
as fast on both sides: the fleet measures what it sees, so the comparison holds by itself as long as what the client
adds (some milliseconds) is small against the parts. Above a speed of 20 the first token of a short prompt is mostly
the client. Hindsight is computed from the emulators' own parameters.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from common import Table, parser, report, say
from day_hindsight import CURRENT, Hindsight, Job, Moment, is_warm, played
from day_world import CANDIDATES, WARM_UP, Ask, Truth, configuration, emulator_options, language_models, make_day

from turnout import Router
from turnout.config.loader import load_content
from turnout.config.schema import provider_settings
from turnout.errors import ProviderError
from turnout.policy import choosing
from turnout.policy.candidates import Needs
from turnout.policy.policy import Policy
from turnout.providers import Fleet
from turnout.types import Answer, Attempt, Decision, ExpectedSeconds, Hints, Request, TaskType

TARGET = 0.25
CLOSE = 1.1
"""A choice that took at most this much longer than the best counts as close to it."""
PARTS = ("load", "queue", "prefill", "decode")
SMALLEST_PART_S = 0.02

Figures = dict[str, Any]


@dataclass
class Outcome:
    """One request: what was expected in three ways, what it took, and what every choice would have come to."""

    ask: Ask
    decision: Decision
    expected: dict[str, ExpectedSeconds]
    moments: dict[str, Moment]
    attempt: Attempt | None = None
    error: str = ""
    hindsight_s: dict[str, float] | None = None

    @property
    def actual(self) -> dict[str, float]:
        """Seconds of each part, and in all."""
        assert self.attempt is not None and self.attempt.first_token_s is not None
        done = self.attempt
        first_s = done.first_token_s or 0.0
        decode_s = done.total_s - done.queue_s - done.load_s - first_s
        return {
            "load": done.load_s,
            "queue": done.queue_s,
            "prefill": first_s,
            "decode": decode_s,
            "total": done.total_s,
        }


class Day:
    """Decides and asks at the times of the day."""

    def __init__(self, router: Router, fleet: Fleet, truth: Truth) -> None:
        self._router, self._fleet = router, fleet
        self._hindsight = Hindsight(fleet, truth)
        self._attempts: dict[asyncio.Task[Any] | None, Attempt] = {}
        self.outcomes: list[Outcome] = []
        self.late_s: list[float] = []
        fleet.on_attempt(self._heard)

    def _heard(self, attempt: Attempt) -> None:
        self._attempts[asyncio.current_task()] = attempt

    async def run(self, asks: Sequence[Ask]) -> None:
        """A part of the day, until everything is answered."""
        began_s = time.monotonic() + 0.1 - asks[0].at_s
        async with asyncio.TaskGroup() as group:
            for ask in asks:
                await asyncio.sleep(max(0.0, began_s + ask.at_s - time.monotonic()))
                self.late_s.append(time.monotonic() - began_s - ask.at_s)
                group.create_task(self._serve(ask))
                if len(self.late_s) % 250 == 0:
                    say(f"  {len(self.late_s)} asked ...")

    async def _serve(self, ask: Ask) -> None:
        snapshot = self._fleet.snapshot()
        hints = Hints(headers={"X-Model": ask.forced} if ask.forced else {})
        decision = self._router.route(ask.request, hints=hints, snapshot=snapshot)
        name = decision.candidate
        limited = self._router.route(ask.limited(name), hints=Hints(headers={"X-Model": name}), snapshot=snapshot)
        first = decision.ranking[0].expected
        bounded = next(entry.expected for entry in limited.ranking if entry.candidate == name)
        with answers_of(ask.answer_tokens[name]):
            told = self._router.route(ask.request, hints=Hints(headers={"X-Model": name}), snapshot=snapshot)
        known = told.ranking[0].expected
        assert first is not None and bounded is not None and known is not None
        outcome = Outcome(ask, decision, {"guess": first, "limit": bounded, "known": known}, self._hindsight.moments())
        self.outcomes.append(outcome)
        job = Job(ask, name)
        CURRENT.set(job)
        try:
            answer_s = first.prefill_s + first.decode_s  # what the hybrid client tells, too
            async with aclosing(self._fleet.stream(name, ask.request, expected_s=answer_s)) as pieces:
                async for piece in pieces:
                    if isinstance(piece, Answer):
                        break
        except ProviderError as error:
            outcome.error = f"{error.code}: {error}"
        finally:
            job.done = True
            outcome.attempt = self._attempts.pop(asyncio.current_task(), None)


@contextmanager
def answers_of(tokens: int) -> Iterator[None]:
    """Let the policy know the length of the answer, as it never does: its guess is replaced."""

    class Told(Needs):
        @classmethod
        def of(cls, request: Request, task_type: TaskType) -> Needs:
            return replace(Needs.of(request, task_type), answer_tokens=tokens)

    choosing.Needs = Told  # type: ignore[misc]
    try:
        yield
    finally:
        choosing.Needs = Needs  # type: ignore[misc]


async def run_day(options: Any, addresses: dict[str, str], asks: Sequence[Ask], truth: Truth) -> Day:
    """The day at these machines."""
    loaded = load_content(configuration(addresses, options.speed).encode(), "day.yaml", environment={})
    policy = Policy(loaded.configuration)
    async with Fleet(provider_settings(loaded.configuration), health=loaded.configuration.performance.health) as fleet:
        day = Day(Router(None, policy=policy), fleet, truth)
        first = int(WARM_UP * len(asks))
        await day.run(asks[:first])  # measured before the day begins, so that nothing is expected from sizes alone
        await day.run(asks[first:])
        return day


def measure(options: Any, folder: Path) -> Figures:
    """Everything of one day."""
    truth = Truth(options.speed, language_models())
    say("answers in advance ...")
    asks = make_day(options.requests, options.speed, options.pace)
    say(f"a day of {asks[-1].at_s:.0f} s ...")
    told = folder / "options.json"
    lmstudio = json.loads(options.lmstudio)
    told.write_text(json.dumps(emulator_options(options.speed, lmstudio)))
    command = [sys.executable, str(Path(__file__).with_name("day_server.py")), str(told)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        try:
            day = asyncio.run(run_day(options, json.loads(server.stdout.readline()), asks, truth))
        finally:
            server.communicate()
    failed = [outcome for outcome in day.outcomes if outcome.error or outcome.attempt is None]
    kept = [outcome for outcome in day.outcomes[int(WARM_UP * len(asks)) :] if outcome not in failed]
    say("hindsight ...")
    for outcome in kept:
        outcome.hindsight_s = {
            name: played(outcome.moments[name.partition("/")[0]], name, outcome.ask, truth) for name in CANDIDATES
        }
    return {
        "requests": len(asks),
        "speed": options.speed,
        "day_s": round(asks[-1].at_s, 1),
        "failed": len(failed),
        "reasons": sorted({outcome.error for outcome in failed})[:5],
        "compared": len(kept),
        "late_p99_ms": round(float(np.percentile(day.late_s, 99)) * 1000, 2),
        "expected": {way: _totals(kept, way) for way in ("guess", "limit", "known")},
        "parts": {way: {part: _part(kept, way, part) for part in PARTS} for way in ("guess", "known")},
        "kinds": {told: _totals(some, "known") | {"guess": _totals(some, "guess")} for told, some in _kinds(kept)},
        "choice": _choices([outcome for outcome in kept if not outcome.ask.forced]),
    }


def _kinds(kept: Sequence[Outcome]) -> list[tuple[str, list[Outcome]]]:
    sorts = [
        ("with a load", lambda o: o.actual["load"] > SMALLEST_PART_S),
        ("with a queue, no load", lambda o: o.actual["queue"] > SMALLEST_PART_S >= o.actual["load"]),
        ("neither", lambda o: max(o.actual["queue"], o.actual["load"]) <= SMALLEST_PART_S),
        ("long prompts", lambda o: o.ask.is_long),
        *((f"at {name}", lambda o, name=name: o.decision.candidate == name) for name in CANDIDATES),
    ]
    return [(told, some) for told, holds in sorts if (some := [outcome for outcome in kept if holds(outcome)])]


def _totals(kept: Sequence[Outcome], way: str) -> Figures:
    """Errors of the whole time: median, 90th percentile, and how far off the sums are."""
    expected = np.array([outcome.expected[way].total_s for outcome in kept])
    actual = np.array([outcome.actual["total"] for outcome in kept])
    error = np.abs(expected - actual) / actual
    return {
        "n": len(kept),
        "median_error": round(float(np.median(error)), 4),
        "p90_error": round(float(np.percentile(error, 90)), 4),
        "median_ratio": round(float(np.median(expected / actual)), 4),
        "sum_ratio": round(float(expected.sum() / actual.sum()), 4),
        "median_s": round(float(np.median(actual)), 4),
    }


def _part(kept: Sequence[Outcome], way: str, part: str) -> Figures:
    """One part: its share of the time, and its errors where it took or should have taken a while."""
    expected = np.array([getattr(outcome.expected[way], f"{part}_s") for outcome in kept])
    actual = np.array([outcome.actual[part] for outcome in kept])
    total = np.array([outcome.actual["total"] for outcome in kept])
    here, there = actual > SMALLEST_PART_S, expected > SMALLEST_PART_S
    error = np.abs(expected - actual)
    return {
        "share_of_time": round(float(actual.sum() / total.sum()), 4),
        "took": int(here.sum()),
        "expected": int(there.sum()),
        "both": int((here & there).sum()),
        "median_error": round(float(np.median(error[here] / actual[here])), 4) if here.any() else None,
        "median_ratio": round(float(np.median(expected[here & there] / actual[here & there])), 4)
        if (here & there).any()
        else None,
        "sum_ratio": round(float(expected.sum() / actual.sum()), 4),
        "mean_error_of_total": round(float(error.sum() / total.sum()), 4),
    }


def _choices(free: Sequence[Outcome]) -> Figures:
    """How often, and at what price, a choice was the fastest in hindsight."""
    seconds = np.array([[outcome.hindsight_s[name] for name in CANDIDATES] for outcome in free if outcome.hindsight_s])
    best = seconds.min(axis=1)
    names = {name: place for place, name in enumerate(CANDIDATES)}
    rows = np.arange(len(free))
    policy = np.array([names[outcome.decision.candidate] for outcome in free])
    drawn = np.random.default_rng(0).integers(len(CANDIDATES), size=len(free))
    warm = np.array([[is_warm(o.moments[n.partition("/")[0]], n) for n in CANDIDATES] for o in free])
    fastest = seconds.argmin(axis=1)
    cold_best, cold_chosen = ~warm[rows, fastest], ~warm[rows, policy]
    took = np.array([outcome.actual["total"] for outcome in free])
    ways = {
        "policy": policy,
        "always the first": np.zeros(len(free), int),
        "random": drawn,
        "the fastest by its own figures, alone and loaded": np.full(len(free), _alone()),
    }
    return {
        "decisions": len(free),
        "ways": {
            told: {
                "fastest": round(float((seconds[rows, places] <= best * 1.0001).mean()), 4),
                "close": round(float((seconds[rows, places] <= best * CLOSE).mean()), 4),
                "mean_s": round(float(seconds[rows, places].mean()), 4),
                "mean_loss_s": round(float((seconds[rows, places] - best).mean()), 4),
            }
            for told, places in ways.items()
        },
        "best_mean_s": round(float(best.mean()), 4),
        "fastest_is_cold": int(cold_best.sum()),
        "cold_chosen": int(cold_chosen.sum()),
        "cold_chosen_when_fastest_is_cold": round(float(cold_chosen[cold_best].mean()), 4) if cold_best.any() else None,
        "cold_chosen_when_fastest_is_warm": round(float(cold_chosen[~cold_best].mean()), 4),
        "agrees_on_cold_or_warm": round(float((cold_chosen == cold_best).mean()), 4),
        "hindsight_of_chosen_over_actual": round(float(np.median(seconds[rows, policy] / took)), 4),
        "hindsight_error": round(float(np.median(np.abs(seconds[rows, policy] - took) / took)), 4),
    }


def _alone() -> int:
    speeds = [model.decode_tokens_per_s for model in language_models().values()]
    return speeds.index(max(speeds))


def tables(figures: Figures) -> list[Table]:
    """What is printed."""
    ways = {
        "guess": "length by the policy's own guess",
        "limit": "true length told as max_tokens",
        "known": "true length in place of the guess",
    }
    rows: list[list[object]] = [[told, *_row(figures["expected"][way])] for way, told in ways.items()]
    rows += [["target", None, f"{TARGET:.0%}", None, None, None, None]]
    rows += [[f"true length: {told}", *_row(part)] for told, part in figures["kinds"].items()]
    parts = [
        [
            f"{part}, {'guess' if way == 'guess' else 'true length'}",
            f"{figure['share_of_time']:.1%}",
            figure["took"],
            figure["expected"],
            figure["both"],
            "–" if figure["median_error"] is None else f"{figure['median_error']:.1%}",
            "–" if figure["median_ratio"] is None else f"{figure['median_ratio']:.2f}",
            f"{figure['sum_ratio']:.2f}",
            f"{figure['mean_error_of_total']:.1%}",
        ]
        for way, found in figures["parts"].items()
        for part, figure in found.items()
    ]
    choice = figures["choice"]
    return [
        Table(
            f"Expected against real seconds: {figures['compared']:,} of {figures['requests']:,} requests, "
            f"{figures['speed']:g} times as fast as real time, {figures['day_s']:g} s",
            [
                "",
                "requests",
                "median error",
                "90 % under",
                "median expected/real",
                "sum expected/real",
                "median real s",
            ],
            rows,
            f"The first {WARM_UP:.0%} are warm-up. {figures['failed']} requests failed"
            + "".join(f"\n  {reason}" for reason in figures["reasons"])
            + f". Requests went out {figures['late_p99_ms']:g} ms late at most (p99).",
        ),
        Table(
            "By part",
            ["part", "of the time", "took", "expected", "both", "median error", "median ratio", "sum ratio", "off by"],
            parts,
            f"Took, expected: more than {SMALLEST_PART_S * 1000:g} ms. Median error where it took that, median of "
            "expected/real where both; off by: mean absolute error of the part, of the whole time.",
        ),
        Table(
            f"The fastest choice in hindsight: {choice['decisions']:,} decisions among {len(CANDIDATES)} candidates",
            ["choice", "was the fastest", f"or within {CLOSE - 1:.0%}", "mean s", "lost to the best, s"],
            [
                [told, f"{way['fastest']:.1%}", f"{way['close']:.1%}", way["mean_s"], way["mean_loss_s"]]
                for told, way in choice["ways"].items()
            ],
            f"The best in hindsight take {choice['best_mean_s']:.3f} s on average. A cold candidate was the fastest "
            f"{choice['fastest_is_cold']} times and chosen {choice['cold_chosen']} times: in "
            f"{choice['cold_chosen_when_fastest_is_cold'] or 0:.1%} of the decisions where it was the fastest, and in "
            f"{choice['cold_chosen_when_fastest_is_warm']:.1%} of the others; cold or warm was right in "
            f"{choice['agrees_on_cold_or_warm']:.1%}. Hindsight for the chosen one is {choice['hindsight_error']:.1%} off "
            f"what it really took (median; ratio {choice['hindsight_of_chosen_over_actual']:.3f}). All ways are judged at "
            "the moments of the policy's day.",
        ),
    ]


def _row(part: Figures) -> list[object]:
    ratio, sums = f"{part['median_ratio']:.2f}", f"{part['sum_ratio']:.2f}"
    return [part["n"], f"{part['median_error']:.1%}", f"{part['p90_error']:.1%}", ratio, sums, part["median_s"]]


def main() -> None:
    options = parser(__doc__ or "")
    options.add_argument("--requests", type=int, default=1500, help="requests of the day (default: 1500)")
    options.add_argument("--speed", type=float, default=20.0, help="how much faster than real time (default: 20)")
    options.add_argument("--pace", type=float, default=1.2, help="how dense the requests are (default: 1.2)")
    options.add_argument("--lmstudio", default="{}", help="further options of the emulated LM Studio, as JSON")
    options = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(options, Path(folder))
    whole = options.requests >= 1500 and options.lmstudio == "{}"
    report("day", options, tables(figures), figures, whole=whole)


if __name__ == "__main__":
    main()
