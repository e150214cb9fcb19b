"""One of two providers killed and started again under load: who fails, who is told, how soon it is asked again.

    python benchmarks/restart.py [--rounds 3] [--down 6] [--open-s 10]

Two emulated providers, each in a process of its own. The one that is asked first is ended with SIGKILL in the middle of
what it sends, stays away for `--down` seconds and comes back at the same address. The breaker and the looks at providers
have their default settings unless told otherwise.
"""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from chaos_requests import ANSWERED, BROKEN, LEFT, Crowd
from chaos_world import Ask, asks
from common import Table, parser, report, say

from turnout import HybridClient
from turnout.config.loader import load
from turnout.config.providers import BreakerSettings, HealthSettings
from turnout.types import ProviderEvent

FIRST, OTHER = "ollama/llama3.3:70b", "lmstudio/qwen2.5-coder-7b"
SPEED = 30.0
AT_ONCE = 12
PAUSE_S = 0.05
ROUNDS, LOAD_S, DOWN_S = 3, 5.0, 6.0
PATIENCE_S = 60.0
NOTICED_S = 1.0
"""From the moment it may be asked to its first answer: about what an answer takes here. As long again until the probe
has closed the breaker and its share counts."""

Figures = dict[str, Any]


class Upstream:
    """An emulated provider in a process of its own, at an address that stays."""

    def __init__(self, folder: Path, name: str, fields: Mapping[str, Any]) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._told = folder / f"{name}.json"
        self._told.write_text(json.dumps({name: {**fields, "port": self.port}}))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start, and wait until it listens."""
        command = [sys.executable, str(Path(__file__).with_name("chaos_server.py")), str(self._told)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        if not self._process.stdout.readline():
            raise RuntimeError(f"nothing listens on port {self.port}")

    def kill(self) -> None:
        """SIGKILL: no goodbye to anybody."""
        if self._process is None:
            return
        process, self._process = self._process, None
        process.kill()
        process.communicate()


def configuration(first: Upstream, other: Upstream, folder: Path, options: Any) -> str:
    """Two providers asked in this order; breaker and health as they are by default, or as told. Nothing is cached: an answer
    given before would count as one of the provider that is away."""
    return f"""
hybrid: {{enabled: false, default_provider: auto}}
providers:
  ollama:
    base_url: {first.url}
    models: [{{name: "{FIRST.partition("/")[2]}", memory_mb: 10}}]
    queue: {{max_concurrent: {AT_ONCE}, max_concurrent_per_candidate: {AT_ONCE}}}
  lmstudio:
    base_url: {other.url}
    models: [{{name: {OTHER.partition("/")[2]}, memory_mb: 10}}]
    queue: {{max_concurrent: {AT_ONCE}, max_concurrent_per_candidate: {AT_ONCE}}}
performance:
  health: {{interval_s: {options.interval_s}, max_age_s: {4 * options.interval_s}}}
  cache: {{exact: {{enabled: false}}}}
fallback:
  deadline_s: 30
  breaker: {{open_s: {options.open_s}}}
routing: {{escalation: {{enabled: false}}, conversations: {{enabled: false}}}}
history: {{url: "sqlite:///{folder / "history.db"}"}}
"""


async def under_load(client: HybridClient, crowd: Crowd, first: Upstream, options: Any) -> list[Figures]:
    """Kill and restart, round after round, while requests run; the moments of each round."""
    done = asyncio.Event()
    source = asks(1_000_000, seed=3)
    rounds: list[Figures] = []

    async def worker() -> None:
        while not done.is_set():
            await crowd.ask(client, _patient(next(source)))
            await asyncio.sleep(PAUSE_S)

    workers = [asyncio.create_task(worker()) for _ in range(AT_ONCE)]
    try:
        for number in range(options.rounds):
            await asyncio.sleep(options.load_s)
            say(f"round {number + 1}: killed ...")
            killed_s = time.perf_counter()
            await asyncio.to_thread(first.kill)
            await asyncio.sleep(options.down_s)
            await asyncio.to_thread(first.start)
            listens_s = time.perf_counter()
            answered = await _first_answer(crowd, since_s=listens_s)
            say(f"  it answers again after {answered - listens_s:.2f} s" if answered else "  it never came back")
            rounds.append({"killed_s": killed_s, "listens_s": listens_s, "answered_s": answered})
        await asyncio.sleep(options.load_s)
    finally:
        done.set()
        await asyncio.gather(*workers)
    return rounds


def _patient(ask: Ask) -> Ask:
    """Nobody leaves, and nothing is cached: what fails here has failed."""
    return Ask(ask.number, ask.messages, {**ask.options, "deadline_s": 30.0}, ask.streams, 30.0)


async def _first_answer(crowd: Crowd, since_s: float) -> float | None:
    """When the killed one first answered again."""
    while time.perf_counter() < since_s + PATIENCE_S:
        await asyncio.sleep(0.05)
        for one in crowd.callers():
            if one["outcome"] == ANSWERED and one["candidate"] == FIRST and one["ended_s"] > since_s:
                return float(one["ended_s"])
    return None


async def play(folder: Path, options: Any) -> Figures:
    """All rounds with one client."""
    fields = {"speed": SPEED, "policy": {"keep_alive_s": 1e9}, "slots": AT_ONCE, "context": 4096}
    first = Upstream(folder, "ollama", {**fields, "kind": "ollama", "models": [FIRST.partition("/")[2]]})
    other = Upstream(folder, "lmstudio", {**fields, "kind": "lmstudio", "models": [OTHER.partition("/")[2]]})
    events: list[tuple[float, ProviderEvent]] = []
    with ExitStack() as stack:
        for each in (first, other):
            stack.callback(each.kill)
            each.start()
        path = folder / "hybrid.yaml"
        path.write_text(configuration(first, other, folder, options))
        crowd = Crowd(folder)
        stack.callback(crowd.close)
        configured = load(path, environment={}).configuration
        async with HybridClient(configured, state=folder / "state", observers=[crowd]) as client:
            client._fleets.serving.on_event(lambda event: events.append((time.perf_counter(), event)))
            await asyncio.gather(client.warm(FIRST), client.warm(OTHER))
            rounds = await under_load(client, crowd, first, options)
        return figures_of(crowd, rounds, events)


def figures_of(crowd: Crowd, rounds: list[Figures], events: list[tuple[float, ProviderEvent]]) -> Figures:
    """What became of the requests, and of each round."""
    lines = list(crowd.callers())
    outcomes = Counter(one["outcome"] for one in lines)
    told = [f"{one['outcome']}: {one['message']}" for one in lines if one["outcome"] not in (ANSWERED, LEFT)]
    figures = []
    for at, one in enumerate(rounds):
        before_s = rounds[at - 1]["answered_s"] or rounds[at - 1]["listens_s"] if at else 0.0
        after_s = rounds[at + 1]["killed_s"] if at + 1 < len(rounds) else float("inf")
        answered_s = one["answered_s"]
        opened = [when for when, event in events if event.after == "open" and when > one["killed_s"]]
        figures.append(
            {
                "down_s": round(one["listens_s"] - one["killed_s"], 2),
                "answers_again_after_s": None if answered_s is None else round(answered_s - one["listens_s"], 2),
                "breaker_opened_after_s": round(opened[0] - one["killed_s"], 2) if opened else None,
                "events": [
                    f"{when - one['killed_s']:+.2f} s {event.kind} {event.model or event.provider}: {event.after}"
                    for when, event in events
                    if one["killed_s"] <= when < after_s
                ],
                "share_before": _share(lines, lambda s, b=before_s, e=one["killed_s"]: b < s < e),
                "share_while_away": _share(lines, lambda s, b=one["killed_s"], e=one["listens_s"]: b < s < e),
                "share_after": _share(
                    lines, lambda s, b=answered_s, e=after_s: b is not None and b + NOTICED_S < s < e
                ),
            }
        )
    return {
        "requests": len(lines),
        "outcomes": dict(outcomes.most_common()),
        "problems": dict(Counter(problem for one in lines for problem in one["problems"])),
        "fell_back": sum("fallback" in one.get("roles", ()) for one in lines),
        "slowest_s": max(one["seconds"] for one in lines),
        "told": told[:20],
        "rounds": figures,
    }


def _share(lines: list[Figures], within: Callable[[float], bool]) -> float | None:
    """Which share of the answers that ended within a time came from the one that is killed."""
    some = [one["candidate"] == FIRST for one in lines if one["outcome"] == ANSWERED and within(one["ended_s"])]
    return round(sum(some) / len(some), 4) if some else None


def verdicts(figures: Figures, options: Any) -> list[tuple[str, object, object, bool]]:
    """Every aim: what it is of, the figure, the aim, whether it is reached."""
    failed = sum(count for name, count in figures["outcomes"].items() if name not in (ANSWERED, BROKEN, LEFT))
    back = [one["answers_again_after_s"] for one in figures["rounds"]]
    slowest = None if None in back else max(back)
    limit_s = options.open_s + NOTICED_S
    least = min(one["share_after"] or 0.0 for one in figures["rounds"])
    return [
        ("requests neither answered nor told after first content", failed, 0, not failed),
        ("ends that are not what was said", sum(figures["problems"].values()), 0, not figures["problems"]),
        (
            f"seconds until it answers again (breaker: {options.open_s:g} s)",
            slowest,
            f"< {limit_s:g}",
            slowest is not None and slowest < limit_s,
        ),
        ("its share of the answers afterwards, the least", least, "> .9", least > 0.9),
    ]


def tables(figures: Figures) -> list[Table]:
    """Each round, how requests ended, and every aim."""
    columns = ["round", "away s", "breaker opened after s", "answers again after s", "share before", "away", "after"]
    rows = [
        [at, one["down_s"], one["breaker_opened_after_s"], one["answers_again_after_s"]]
        + [one[f"share_{when}"] for when in ("before", "while_away", "after")]
        for at, one in enumerate(figures["rounds"], 1)
    ]
    events = "\n".join(f"round {at}: {', '.join(one['events'])}" for at, one in enumerate(figures["rounds"], 1))
    ends = ", ".join(f"{name} {count:,}" for name, count in figures["outcomes"].items())
    note = (
        f"{figures['requests']:,} requests, {AT_ONCE} at once: {ends}. {figures['fell_back']:,} answered after a fallback; "
        f"the slowest took {figures['slowest_s']:.2f} s. Shares are of answers from the one that is killed.\n{events}"
    )
    aims = [[what, figure, aim, "yes" if reached else "NO"] for what, figure, aim, reached in figures["aims"]]
    return [
        Table("one of two providers killed and restarted under load", columns, rows, note),
        Table("aims", ["what", "measured", "aim", "reached"], aims),
    ]


def main() -> None:
    options = parser(__doc__ or "")
    options.add_argument("--rounds", type=int, default=ROUNDS, help=f"(default: {ROUNDS})")
    options.add_argument("--load", type=float, default=LOAD_S, dest="load_s", help=f"seconds (default: {LOAD_S:g})")
    options.add_argument("--down", type=float, default=DOWN_S, dest="down_s", help=f"seconds (default: {DOWN_S:g})")
    options.add_argument("--open-s", type=float, default=BreakerSettings().open_s, help="of the breaker")
    options.add_argument("--interval-s", type=float, default=HealthSettings().interval_s, help="between looks")
    options = options.parse_args()
    with tempfile.TemporaryDirectory() as name:
        figures = asyncio.run(play(Path(name), options))
    figures["breaker"] = {"open_s": options.open_s, "health_interval_s": options.interval_s}
    figures["aims"] = verdicts(figures, options)
    default = BreakerSettings().open_s == options.open_s and HealthSettings().interval_s == options.interval_s
    report("restart", options, tables(figures), figures, whole=default and options.rounds >= ROUNDS)


if __name__ == "__main__":
    main()
