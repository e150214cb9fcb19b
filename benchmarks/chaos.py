"""Five thousand requests at once while two of four candidates fail in every way there is: nothing lost, nothing twice.

    python benchmarks/chaos.py [--requests N] [--predictor FOLDER]

Through `HybridClient`: emulated LM Studio and Ollama fail in every way of the fault table in turn, an emulated llama.cpp
never does, and where xllamacpp is installed its real server with random weights answers too. The emulators run in a
process of their own and count what reaches them. Requests are streamed or whole, with preferences, tools, schemas and
conversations; some callers leave early. What the history holds afterwards is compared with what callers and observers
were told, both ways. A first run through all faults warms up; what is held after it is compared with the end.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from chaos_account import callers, compare, upstream
from chaos_requests import ANSWERED, BROKEN, LEFT, Crowd
from chaos_server import LEDGER
from chaos_world import (
    ENGINE,
    FAILING,
    HEALTHY,
    LEARNED,
    asks,
    configuration,
    look,
    providers,
    switch,
    turns,
)
from common import Table, parser, report, say
from process import descriptors, resident_bytes, watched
from small_champion import fit_small

from turnout import HybridClient
from turnout.config.loader import load
from turnout.policy import Router
from turnout.policy.policy import Policy

REQUESTS, WARM_UP, AT_ONCE = 5000, 1000, 32
GROWTH_LIMIT_MIB = 8.0
"""What is remembered on purpose, within bounds: 10,000 completions for feedback, word records, cached answers, all of
which still fill up during the run."""
_REST_STEPS, _REST_S = 300, 0.1

Figures = dict[str, Any]


@contextmanager
def listening() -> Iterator[Counter[str]]:
    """Everything that is logged as a warning or worse, is warned of, or that nobody caught."""
    heard: Counter[str] = Counter()

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            heard[f"{record.levelname} {record.name}: {str(record.msg)[:120]}"] += 1
            if record.levelno >= logging.ERROR:
                say(f"!! {record.name}: {record.getMessage()[:500]} {record.exc_info or ''}")

    def unraisable(told: Any) -> None:
        heard[f"ERROR nobody caught: {told.exc_value!r} in {told.object!r}"[:200]] += 1

    ear, hook = Ear(logging.WARNING), sys.unraisablehook
    logging.getLogger().addHandler(ear)
    sys.unraisablehook = unraisable
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        logging.captureWarnings(True)
        try:
            yield heard
        finally:
            gc.collect()
            logging.captureWarnings(False)
            logging.getLogger().removeHandler(ear)
            sys.unraisablehook = hook


async def run_all(client: HybridClient, crowd: Crowd, addresses: Mapping[str, str], count: int, seed: int) -> float:
    """So many requests, AT_ONCE at any time, through all turns of faults; the seconds that took."""
    left = asks(count, seed)
    plan, began = turns(), crowd.started
    switching: asyncio.Task[None] | None = None
    at = -1

    async def worker() -> None:
        nonlocal at, switching
        for ask in left:
            due = min(len(plan) - 1, (crowd.started - began) * len(plan) // count)
            if due > at and (switching is None or switching.done()):
                at = due
                switching = asyncio.create_task(switch(addresses, plan[at]))
                if at % 8 == 0:
                    say(f"  {crowd.started - began:,} requests: {plan[at].name} ...")
            await crowd.ask(client, ask)

    started_s = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(AT_ONCE)))
    seconds = time.perf_counter() - started_s
    if switching is not None:
        await switching
    await switch(addresses, None)
    return round(seconds, 1)


async def rest(client: HybridClient, addresses: Mapping[str, str]) -> Figures:
    """Wait until nothing runs and everybody can be asked again; what then is still held."""
    for _ in range(_REST_STEPS):
        candidates = (await client.status()).to_json()["candidates"]
        held = sum(one["running"] + one["waiting"] for one in candidates.values())
        troubled = {name: one["problem"] for name, one in candidates.items() if one["problem"]}
        states = {name: await look(url) for name, url in addresses.items() if name != ENGINE}
        upstream = sum(state["counters"]["running"] + state["pending"] for state in states.values())
        if not held and not troubled and not upstream:
            break
        await asyncio.sleep(_REST_S)
    gc.collect()
    tasks = []
    for _ in range(10):  # looks at providers come and go, and what the collector finds is closed in tasks of its own
        await asyncio.sleep(_REST_S)
        tasks.append(len(asyncio.all_tasks()))
    return {
        "held": held,
        "upstream": upstream,
        "cannot_be_asked": troubled,
        "tasks": min(tasks),
        "resident_bytes": resident_bytes(),
    }


async def play(addresses: Mapping[str, str], folder: Path, options: Any) -> Figures:
    """Everything with one client, and what it leaves behind."""
    path = folder / "hybrid.yaml"
    path.write_text(configuration(addresses, folder))
    settings = ["performance.racing.enabled=true"] if options.racing else []
    loaded = load(path, settings=settings, environment={}).configuration
    crowd = Crowd(folder)
    open_before, tasks_before = descriptors(), len(asyncio.all_tasks())
    router = Router.load(options.predictor or folder, configuration=Policy(loaded))
    client = HybridClient(loaded, router=router, state=folder / "state", observers=[crowd])
    async with client:
        client._fleets.serving.on_attempt(crowd.attempted)
        say(f"warming up with {options.warm_up:,} ...")
        await run_all(client, crowd, addresses, options.warm_up, seed=1)
        before = await rest(client, addresses)
        say(f"{options.requests:,} requests ...")
        async with watched() as stall:
            seconds = await run_all(client, crowd, addresses, options.requests, seed=2)
        after = await rest(client, addresses)
        status = (await client.status()).to_json()
        history = client.history
    assert history is not None
    for _ in range(_REST_STEPS):
        if descriptors() == open_before and len(asyncio.all_tasks()) == tasks_before:
            break
        await asyncio.sleep(_REST_S)
    crowd.close()
    ledgers = {name: await look(url, LEDGER) for name, url in addresses.items() if name != ENGINE}
    states = {name: await look(url) for name, url in addresses.items() if name != ENGINE}
    return {
        **callers(crowd, ledgers),
        "seconds": seconds,
        "longest_stall_s": round(stall.seconds, 3),
        "processor_in_it_s": round(stall.processor_s, 3),
        "rest": {"after_warm_up": before, "at_the_end": after},
        "attempts": dict(crowd.attempts.most_common()),
        "history": compare(folder / "history.db", crowd),
        "history_status": history.status().to_json(),
        "metrics": {key: status["metrics"]["total"][key] for key in ("requests", "answered", "cancelled", "failures")},
        "escalated_share": status["metrics"]["total"]["escalated_share"],
        "upstream": upstream(crowd, ledgers, states),
        "struck": {name: state["struck"] for name, state in states.items() if name in FAILING},
        "descriptors": {"before": open_before, "after": descriptors()},
        "tasks": {"before": tasks_before, "after": len(asyncio.all_tasks())},
    }


def verdicts(figures: Figures, requests: int) -> list[tuple[str, object, object, bool]]:
    """Every aim: what it is of, the figure, the aim, whether it is reached."""
    outcomes, history, rests = figures["outcomes"], figures["history"], figures["rest"]
    failed = {name: count for name, count in outcomes.items() if name not in (ANSWERED, BROKEN, LEFT)}
    lost = sum(history[key] for key in ("never_observed", "decisions_lost", "answers_lost"))
    lost += history["decisions_with_other_attempts"] + history["answers_without_a_chosen_attempt"]
    twice = sum(
        history[key]
        for key in (
            *("observed_more_than_once", "decisions_kept_twice", "more_than_one_chosen", "asked_again_after_an_answer"),
        )
    )
    unknown = sum(
        history[key] for key in ("decisions_nobody_made", "attempts_without_a_decision", "cached_answers_kept")
    )
    strays = abs(history["attempts_of_the_fleet"] - history["attempts_kept"])
    after, end = rests["after_warm_up"], rests["at_the_end"]
    grown = (end["resident_bytes"] - after["resident_bytes"]) / 2**20 if end["resident_bytes"] else 0.0
    more_tasks = end["tasks"] - after["tasks"]
    open_before, open_after = figures["descriptors"].values()
    tasks_before, tasks_after = figures["tasks"].values()
    p99 = figures["share_of_deadline"]["p99"]
    errors = sum(count for told, count in figures["log"].items() if told.startswith(("ERROR", "CRITICAL")))
    beyond = figures["upstream"]["whole_answers_beyond_attempts"]
    return [
        ("requests", sum(outcomes.values()), requests, sum(outcomes.values()) == requests),
        ("neither answered nor told after first content", sum(failed.values()), 0, not failed),
        ("ends that are not what was said", sum(figures["problems"].values()), 0, not figures["problems"]),
        ("answered with nothing", figures["empty"], 0, not figures["empty"]),
        ("requests observed, decided or answered twice", twice, 0, not twice),
        ("whole answers upstream beyond the attempts", beyond, 0, not beyond),
        ("outcomes lost on the way into the history", lost, 0, not lost),
        ("rows of the history that nobody was told of", unknown, 0, not unknown),
        ("attempts of the fleet that are not in the history", strays, 0, not strays),
        ("p99 of seconds, share of the deadline", round(p99, 3), "< 1", p99 < 1),
        ("slots held at rest, here and upstream", end["held"] + end["upstream"], 0, not end["held"] + end["upstream"]),
        ("candidates that cannot be asked at rest", len(end["cannot_be_asked"]), 0, not end["cannot_be_asked"]),
        ("tasks more than after the warm-up", more_tasks, 0, more_tasks <= 0),
        ("tasks more than before, when closed", tasks_after - tasks_before, 0, tasks_after <= tasks_before),
        ("descriptors more than before, when closed", open_after - open_before, 0, open_after <= open_before),
        ("MiB more than after the warm-up", round(grown, 2), f"< {GROWTH_LIMIT_MIB:g}", grown < GROWTH_LIMIT_MIB),
        ("errors in the log, exceptions nobody caught", errors, 0, not errors),
    ]


def tables(figures: Figures, requests: int) -> list[Table]:
    """How requests ended, and every aim."""
    outcomes, seconds = figures["outcomes"], figures["answer_s"]
    struck = sum(sum(counts.values()) for counts in figures["struck"].values())
    kinds = len(set().union(*(counts.keys() for counts in figures["struck"].values())))
    rows = [[name, count, f"{count / requests:.1%}"] for name, count in outcomes.items()]
    role, sent = figures["roles"], figures["upstream"]
    note = (
        f"{figures['seconds']:.0f} s; the event loop stood still for {figures['longest_stall_s']:.2f} s at most, of them "
        f"{figures['processor_in_it_s']:.2f} s at work.\n"
        f"Answers took {seconds['p50']:.2f} s (p50), {seconds['p99']:.2f} s (p99), {seconds['max']:.2f} s at most; "
        f"{figures['cached']:,} came from the cache, {role.get('fallback', 0):,} after a fallback, "
        f"{role.get('escalation', 0):,} with an escalation, {role.get('race', 0):,} of a race.\n"
        f"{struck:,} faults of {kinds} kinds struck. {sent['arrived']:,} requests arrived at the emulators, of them "
        f"{sent['sent_again_on_a_fresh_connection']:,} again on a fresh connection. Answered by "
        + ", ".join(f"{name} {count:,}" for name, count in figures["answered_by"].items())
        + f".\nAttempts: {', '.join(f'{name} {count:,}' for name, count in figures['attempts'].items())}."
    )
    aims = [[what, figure, aim, "yes" if reached else "NO"] for what, figure, aim, reached in figures["aims"]]
    both_ways = [[key.replace("_", " "), value] for key, value in figures["history"].items()]
    troubled = figures["rest"]["at_the_end"]["cannot_be_asked"]
    note += "".join(f"\n{name}: {problem}." for name, problem in troubled.items())
    made = [
        Table(
            f"{requests:,} requests, {AT_ONCE} at once: how they ended", ["for the caller", "n", "share"], rows, note
        ),
        Table("the history, counted both ways", ["what", "n"], both_ways),
        Table("aims", ["what", "measured", "aim", "reached"], aims),
    ]
    if figures["told"] or figures["log"]:
        told = [[line[:200]] for line in figures["told"]]
        told += [[f"{count} x {line}"] for line, count in figures["log"].items()]
        made.insert(2, Table("told", ["what"], told))
    return made


def main() -> None:
    options = parser(__doc__ or "")
    options.add_argument("--requests", type=int, default=REQUESTS, help=f"(default: {REQUESTS:,})")
    options.add_argument("--warm-up", type=int, default=WARM_UP, help=f"requests before (default: {WARM_UP:,})")
    options.add_argument("--predictor", type=Path, help="a champion (default: one is fitted)")
    options.add_argument("--no-engine", action="store_true", help="without llama.cpp's own server")
    options.add_argument("--racing", action="store_true", help="race a second candidate when the first is late")
    options = options.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.predictor is None:
            say("fitting a champion ...")
            fit_small(folder, LEARNED)
        with providers(folder, engine=not options.no_engine) as addresses, listening() as heard:
            figures = asyncio.run(play(addresses, folder, options))
    figures["log"] = dict(heard.most_common())
    figures["providers"] = {**FAILING, **HEALTHY, **({ENGINE: "tiny-llama"} if ENGINE in addresses else {})}
    figures["aims"] = verdicts(figures, options.requests)
    whole = options.requests >= REQUESTS and options.predictor is None and not (options.racing or options.no_engine)
    report("chaos", options, tables(figures, options.requests), figures, whole=whole)


if __name__ == "__main__":
    main()
