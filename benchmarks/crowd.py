"""Two hundred requests at once against four slots and faults, then ten thousand: nothing late, lost or left behind.

    python benchmarks/crowd.py [--kinds ollama] [--requests N]

The emulator runs in a process of its own (`crowd_server.py`). Faults of every kind, each with a share of its own and
5 % together, strike its answers, listings and health checks; half of the requests stream, some leave early, some
have little time. A provider where nobody listens is a fault of all requests at once and comes last, by itself.
Breaker, retries and health checks have their default settings; the time limits are short.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import linear_regression, median
from typing import Any

from common import Table, parser, report, say
from crowd_requests import AT_ONCE, DEADLINE_S, SLACK_S, SUBJECTS, Asking, Crowd, prompt
from crowd_server import INSIDE
from fault_trials import ANSWER, KEY_VARIABLE, MODELS, settings
from process import Stall, descriptors, resident_bytes, watched

from turnout.config.providers import BreakerSettings, QueueLimits, RetrySettings, Timeouts
from turnout.emulators.admin import ADMIN
from turnout.emulators.faults import FaultName
from turnout.providers import Fleet

KINDS = ("ollama", "lmstudio")
REQUESTS = 10_000
SLOTS = 4
SPEED = 100.0
FAULT_SHARE = 0.05
FAULT_S = 0.2
OUTAGE_S = 1.0
PATIENCE_S = 60.0
LIMITS = Timeouts(connect_s=1.0, first_token_s=2.0, load_s=3.0, chunk_s=2.0, total_s=4.0)
LAG_S = 0.1
"""A server notices a client that gave up no later than this."""
GROWTH_LIMIT_MIB = 1.0
_REST_STEPS, _REST_S = 100, 0.1

Figures = dict[str, Any]


@contextmanager
def provider(kind: str) -> Iterator[str]:
    """The address of an emulator in a process of its own."""
    command = [sys.executable, str(Path(__file__).with_name("crowd_server.py")), kind, str(SLOTS), str(SPEED)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None and process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.stdin.close()
            process.wait(timeout=10)


async def look(url: str, path: str, faults: Sequence[Figures] | None = None) -> Figures:
    """What the emulator tells of itself; with `faults` they are switched on."""

    def ask() -> Figures:
        data = None if faults is None else json.dumps(faults).encode()
        with urllib.request.urlopen(urllib.request.Request(url + path, data), timeout=10) as answer:
            told: Figures = json.loads(answer.read())
        return told

    return await asyncio.to_thread(ask)


def mixed_faults(chance: random.Random) -> list[Figures]:
    """Every fault that strikes single requests, with shares drawn at random that add up to FAULT_SHARE."""
    names = [name for name in FaultName if name is not FaultName.REFUSED]
    weights = [chance.uniform(0.2, 1.0) for _ in names]
    return [
        {"name": name, "rate": FAULT_SHARE * weight / sum(weights), "seconds": FAULT_S}
        for name, weight in zip(names, weights, strict=True)
    ]


async def endure(crowd: Crowd, requests: int) -> Figures:
    """Wave after wave, with a look at what this process holds after each."""
    memory: list[int | None] = []
    open_now: list[int | None] = []
    tasks: list[int] = []
    started_s = time.perf_counter()
    waves = max(2, requests // AT_ONCE)
    for number in range(1, waves + 1):
        await crowd.wave()
        memory.append(resident_bytes())
        open_now.append(descriptors())
        tasks.append(len(asyncio.all_tasks()))
        await crowd.rest()  # at once, unless a breaker is open, which would refuse all that follows
        if number % 10 == 0:
            say(f"  {number * AT_ONCE:,} requests in {time.perf_counter() - started_s:.0f} s")
    figures = crowd.collect()
    figures["seconds"] = round(time.perf_counter() - started_s, 1)
    figures["most_tasks"] = max(tasks)
    figures["most_descriptors"] = max((one for one in open_now if one is not None), default=None)
    return {**figures, "memory": _memory([one for one in memory if one is not None])}


def _memory(samples: Sequence[int]) -> Figures | None:
    """Growth over the second half: between the medians of its first and last five waves, and as a slope."""
    half = [one / 1024 for one in samples[len(samples) // 2 :]]
    if len(half) < 2:
        return None
    slope = linear_regression(range(len(half)), half).slope
    few = min(5, len(half) // 2)
    return {
        "first_mib": round(samples[0] / 2**20, 2),
        "last_mib": round(samples[-1] / 2**20, 2),
        "requests_of_second_half": len(half) * AT_ONCE,
        "growth_mib": round((median(half[-few:]) - median(half[:few])) / 1024, 3),
        "slope_kib_per_1000": round(slope * 1000 / AT_ONCE, 2),
        "samples_mib": [round(one / 2**20, 2) for one in samples],
    }


async def survive_outage(crowd: Crowd, url: str) -> Figures:
    """Nobody listens for a second in the middle of a wave; then how long until an answer comes again."""
    wave = asyncio.create_task(crowd.wave())
    await asyncio.sleep(FAULT_S)
    await look(url, f"{ADMIN}faults", [{"name": FaultName.REFUSED, "seconds": OUTAGE_S, "count": 1}])
    refused_s = time.perf_counter()
    await wave
    figures = crowd.collect()
    single = Asking(prompt(SUBJECTS[0]), False, False, DEADLINE_S)
    while (outcome := await crowd.ask(single)) != ANSWER and time.perf_counter() < refused_s + PATIENCE_S:
        await asyncio.sleep(_REST_S)
    crowd.collect()
    back_s = round(time.perf_counter() - refused_s, 2) if outcome == ANSWER else None
    return {**figures, "refused_s": OUTAGE_S, "answers_again_after_s": back_s}


async def run_kind(kind: str, requests: int, url: str) -> Figures:
    """Everything with one kind of provider."""
    open_before, tasks_before = descriptors(), len(asyncio.all_tasks())
    wide = settings(
        kind,
        url,
        timeouts=LIMITS,
        retry=RetrySettings(),
        breaker=BreakerSettings(),
        queue=QueueLimits(
            max_concurrent=SLOTS, max_concurrent_per_candidate=SLOTS, max_waiting=AT_ONCE, max_wait_s=DEADLINE_S
        ),
    )
    async with Fleet([wide]) as fleet:
        crowd = Crowd(fleet, f"{kind}/{MODELS[kind]}")
        await fleet.load(crowd.candidate)
        await crowd.learn()
        crowd.collect()
        faults = mixed_faults(crowd.chance)
        await look(url, f"{ADMIN}faults", faults)
        say(f"{kind}: {AT_ONCE} at once ...")
        async with watched() as stall:
            await crowd.wave()
        figures: Figures = {"faults": faults, "crowd": crowd.collect() | _stood(stall)}
        say(f"{kind}: {requests:,} in waves ...")
        async with watched() as stall:
            figures["endurance"] = await endure(crowd, requests)
        figures["endurance"] |= _stood(stall)
        figures["struck"] = (await look(url, f"{ADMIN}state"))["struck"]
        await asyncio.to_thread(_without_faults, url)
        figures["rest"] = await crowd.rest()
        say(f"{kind}: an outage ...")
        async with watched() as stall:
            figures["outage"] = await survive_outage(crowd, url)
        figures["outage"] |= _stood(stall)
        figures["rest_after_outage"] = await crowd.rest()
    for _ in range(_REST_STEPS):
        if descriptors() == open_before and len(asyncio.all_tasks()) == tasks_before:
            break
        await asyncio.sleep(_REST_S)
    inside, state = await look(url, INSIDE), await look(url, f"{ADMIN}state")
    figures["server"] = {**inside, "counters": state["counters"], "pending": state["pending"]}
    figures["descriptors"] = {"before": open_before, "after": descriptors()}
    figures["tasks"] = {"before": tasks_before, "after": len(asyncio.all_tasks())}
    return figures


def _stood(stall: Stall) -> Figures:
    return {"longest_stall_s": round(stall.seconds, 3), "processor_in_it_s": round(stall.processor_s, 3)}


def _without_faults(url: str) -> None:
    request = urllib.request.Request(f"{url}{ADMIN}faults", method="DELETE")
    urllib.request.urlopen(request, timeout=10).close()


def verdicts(figures: Figures) -> list[tuple[str, object, object, bool]]:
    """Every aim: what it is of, the figure, the aim, whether it is reached."""
    parts = [figures[name] for name in ("crowd", "endurance", "outage")]
    server, memory = figures["server"], figures["endurance"]["memory"]
    unnamed, late, wrong = (sum(part[key] for part in parts) for key in ("unnamed", "late", "wrong_texts"))
    patient = figures["endurance"]["answered_share_of_patient"]
    above_s, running = server["longest_above_s"], server["counters"]["max_running"]
    growth = None if memory is None else memory["growth_mib"]
    held = sum(figures[rest][key] for rest in ("rest", "rest_after_outage") for key in ("running", "waiting"))
    busy = server["inside"] + server["counters"]["running"]
    opened = len(figures["crowd"]["breaker_openings"] + figures["endurance"]["breaker_openings"])
    breaker = figures["rest_after_outage"]["breaker"]
    open_before, open_after = figures["descriptors"].values()
    more_open = None if open_before is None else open_after - open_before
    tasks_before, tasks_after = figures["tasks"].values()
    flat = growth is None or growth < GROWTH_LIMIT_MIB
    return [
        ("share answered of those who had time", patient, f"> {1 - FAULT_SHARE:g}", patient > 1 - FAULT_SHARE),
        ("unnamed errors, or none at all", unnamed, 0, unnamed == 0),
        (f"later than the deadline and {SLACK_S:g} s", late, 0, late == 0),
        ("answers with another text", wrong, 0, wrong == 0),
        (f"seconds with over {SLOTS} requests inside the server", above_s, f"< {LAG_S:g}", above_s < LAG_S),
        ("generations at once", running, f"≤ {SLOTS}", running <= SLOTS),
        ("slots held, requests waiting at rest", held, 0, held == 0),
        ("still inside the server at rest", busy, 0, busy == 0),
        (f"breaker openings under {FAULT_SHARE:.0%} faults", opened, 0, opened == 0),
        ("breaker at rest", breaker, "closed", breaker == "closed"),
        ("descriptors more than before", more_open, 0, not more_open),
        ("tasks more than before", tasks_after - tasks_before, 0, tasks_after == tasks_before),
        ("MiB of growth over the second half", growth, f"< {GROWTH_LIMIT_MIB:g}", flat),
    ]


def tables(kinds: Figures) -> list[Table]:
    """How requests ended, and every aim."""
    made = []
    for kind, figures in kinds.items():
        rows = []
        for name in ("crowd", "endurance", "outage"):
            part = figures[name]
            others = {code: n for code, n in part["outcomes"].items() if code != ANSWER}
            rows.append(
                [
                    name,
                    part["requests"],
                    f"{part['answered_share']:.1%}",
                    part["answer_s"]["p50"],
                    part["answer_s"]["p99"],
                    part["end_s"]["max"],
                    part["retries"],
                    len(part["breaker_openings"]),
                    f"{part['longest_stall_s']:.2f} ({part['processor_in_it_s']:.2f})",
                    ", ".join(f"{code} {n}" for code, n in others.items()),
                ]
            )
        columns = ["part", "requests", "answered", "answer p50 s", "p99 s", "slowest end s", "retries"]
        columns += ["breaker openings", "longest stall s", "other ends"]
        outage, memory = figures["outage"], figures["endurance"]["memory"]
        back_s = outage["answers_again_after_s"]
        note = "Longest stall: for how long this event loop stood still at most (and its processor time in that).\n"
        note += f"Nobody listened for {outage['refused_s']:g} s; answers came again after "
        note += f"{back_s:g} s." if back_s is not None else f"more than {PATIENCE_S:g} s."
        if memory is not None:
            note += (
                f"\nMemory: {memory['first_mib']} MiB after the first wave, {memory['last_mib']} after the last; over the "
                f"last {memory['requests_of_second_half']:,} requests {memory['slope_kib_per_1000']:+.1f} KiB per 1,000."
            )
        made.append(Table(f"{kind}: {AT_ONCE} requests at once, {SLOTS} slots", columns, rows, note))
        aims = [[what, figure, aim, "yes" if reached else "NO"] for what, figure, aim, reached in verdicts(figures)]
        made.append(Table(f"{kind}: aims", ["what", "measured", "aim", "reached"], aims))
    return made


def main() -> None:
    options = parser(__doc__ or "")
    options.add_argument("--kinds", default=",".join(KINDS), help=f"separated by commas (default: {','.join(KINDS)})")
    options.add_argument("--requests", type=int, default=REQUESTS, help=f"in waves (default: {REQUESTS:,})")
    options = options.parse_args()
    kinds = options.kinds.split(",")
    unknown = [kind for kind in kinds if kind not in MODELS]
    if unknown or options.requests < 2 * AT_ONCE:
        raise SystemExit(f"kinds are among {', '.join(MODELS)}, requests at least {2 * AT_ONCE}")
    os.environ.setdefault(KEY_VARIABLE, "a-key-of-the-trials")
    measured = {}
    for kind in kinds:
        with provider(kind) as url:
            measured[kind] = asyncio.run(run_kind(kind, options.requests, url))
    figures = {"at_once": AT_ONCE, "slots": SLOTS, "fault_share": FAULT_SHARE, "kinds": measured}
    whole = set(kinds) == set(KINDS) and options.requests >= REQUESTS
    report("crowd", options, tables(measured), figures, whole=whole)


if __name__ == "__main__":
    main()
