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
import sqlite3
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from chaos_requests import ANSWERED, BROKEN, LEFT, Crowd
from chaos_server import LEDGER
from chaos_world import (
    CHAT_PATHS,
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


def callers(crowd: Crowd, ledgers: Mapping[str, Any]) -> Figures:
    """How requests ended, those of the warm-up left out of times and outcomes, not of problems."""
    outcomes: Counter[str] = Counter()
    candidates: Counter[str] = Counter()
    problems: Counter[str] = Counter()
    messages: list[str] = []
    seconds, shares, empty, cached, roles = [], [], 0, 0, Counter[str]()
    for one in crowd.callers():
        problems.update(one["problems"])
        if one["outcome"] == ANSWERED and not _was_said(one, ledgers):
            problems["a text that nobody said"] += 1
            messages.append(f"{one['number']}: {one['candidate']} said something else")
        if one["number"] < 200_000:
            continue
        outcomes[one["outcome"]] += 1
        if one["outcome"] not in (ANSWERED, BROKEN, LEFT):
            messages.append(f"{one['number']}: {one['outcome']} after {one['seconds']:.2f} s, {one['message']}")
        if one["outcome"] == ANSWERED:
            candidates[one["candidate"]] += 1
            roles.update(set(one["roles"]))
            cached += bool(one["cached"])
            empty += not one["characters"]
            seconds.append(one["seconds"])
        if one["outcome"] != LEFT:
            shares.append(one["seconds"] / one["deadline_s"])
    return {
        "outcomes": dict(outcomes.most_common()),
        "answered_by": dict(candidates.most_common()),
        "roles": dict(roles),
        "cached": cached,
        "empty": empty,
        "problems": dict(problems),
        "told": messages[:40],
        "answer_s": {"p50": median(seconds), "p99": quantiles(seconds, n=100)[98], "max": max(seconds)},
        "share_of_deadline": {"p99": quantiles(shares, n=100)[98], "max": max(shares)},
        "late": sum(share > 1 for share in shares),
    }


def _was_said(one: Figures, ledgers: Mapping[str, Any]) -> bool:
    """Whether whoever is named as the one that answered had this to say; of the real engine nobody knows."""
    provider = one["candidate"].partition("/")[0]
    if provider == ENGINE:
        return bool(one["characters"])
    tag = f"{900_000 + one['number'] % 10 if one['shared'] else one['number']:06d}"
    return one["digest"] in ledgers[provider]["said"].get(tag, [])


def compare(database: Path, crowd: Crowd) -> Figures:
    """The history beside what observers and callers were told, both ways."""
    with sqlite3.connect(database) as connection:
        decisions = [row[0] for row in connection.execute("SELECT id FROM decisions")]
        kept: dict[str, list[tuple[int, bool]]] = {}
        for ident, number, chosen in connection.execute("SELECT decision_id, number, chosen FROM attempts"):
            kept.setdefault(ident, []).append((number, bool(chosen)))
    connection.close()
    observed = list(crowd.observed())
    numbers = Counter(one["number"] for one in observed)
    told = {one["id"]: one for one in observed if one["decided"]}
    answers = [one for one in crowd.callers() if one["outcome"] == ANSWERED]
    handed = {one["id"] for one in answers if not one["cached"]}
    asked = [one["number"] for one in crowd.callers()]
    wrong = [
        ident
        for ident, one in told.items()
        if sorted(number for number, _ in kept.get(ident, [])) != list(range(1, one["attempts"] + 1))
    ]
    chosen = {ident for ident, rows in kept.items() if sum(chosen for _, chosen in rows) == 1}
    twice = [ident for ident, rows in kept.items() if sum(chosen for _, chosen in rows) > 1]
    return {
        "requests_asked": len(asked),
        "requests_observed": len(observed),
        "never_observed": len(set(asked) - numbers.keys()),
        "observed_more_than_once": sum(count > 1 for count in numbers.values()),
        "decisions_told": len(told),
        "decisions_kept": len(decisions),
        "decisions_kept_twice": len(decisions) - len(set(decisions)),
        "decisions_lost": len(told.keys() - set(decisions)),
        "decisions_nobody_made": len(set(decisions) - told.keys()),
        "attempts_of_the_fleet": crowd.attempts.total(),
        "attempts_told": sum(one["attempts"] for one in told.values()),
        "attempts_kept": sum(map(len, kept.values())),
        "decisions_with_other_attempts": len(wrong),
        "attempts_without_a_decision": len(kept.keys() - set(decisions)),
        "answers_lost": len(handed - set(decisions)),
        "answers_without_a_chosen_attempt": len(handed - chosen),
        "more_than_one_chosen": len(twice),
        "asked_again_after_an_answer": sum(
            sum(answered and role != "escalation" for _, role, answered, _ in one["asked"]) > 1 for one in observed
        ),
        "cached_answers_kept": sum(one["id"] in set(decisions) for one in answers if one["cached"]),
    }


def upstream(crowd: Crowd, ledgers: Mapping[str, Any], states: Mapping[str, Any]) -> Figures:
    """What reached the emulators beside what was asked of them."""
    attempts: Counter[tuple[str, str]] = Counter()
    for one in crowd.observed():
        for candidate, _, _, count in one["asked"]:
            attempts[candidate.partition("/")[0], f"{one['number']:06d}"] += count
    arrived, whole = (
        Counter({(name, tag): count for name, ledger in ledgers.items() for tag, count in ledger[kind].items()})
        for kind in ("arrived", "whole")
    )
    own = [key for key in arrived if not key[1].startswith("9")]  # who shares words is not told apart
    paths = {**CHAT_PATHS, "healthy": "/v1/chat"}
    return {
        "counted_by_the_emulators": {
            name: sum(count for path, count in state["requests"].items() if path.startswith(paths[name]))
            for name, state in states.items()
        },
        "arrived": arrived.total(),
        "sent_again_on_a_fresh_connection": sum(max(0, arrived[key] - attempts[key]) for key in own),
        "whole_answers": whole.total(),
        "whole_answers_beyond_attempts": sum(max(0, whole[key] - attempts[key]) for key in own),
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
