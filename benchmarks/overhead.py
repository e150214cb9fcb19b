"""What Turnout adds to an upstream that takes no time: beside bare sockets, aiohttp and httpx, layer by layer.

    python benchmarks/overhead.py [--rounds N] [--dialects ollama]

The server (`overhead_server.py`) runs in a process of its own on loopback, all clients here in one event loop. Rounds
go through the clients in changing order, so that other work on the machine meets all of them; figures are medians
over rounds. Processor time is that of this process and depends least on who else uses the machine.
"""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
import time
import urllib.request
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from common import Table, parser, report, say
from overhead_clients import CLIENTS, DIALECTS, FLOOR, MOST_AT_ONCE, Client, Dialect
from overhead_server import PIECES, SPENT, TEXT, new_loop

ROUNDS = 5
ALONE = 200
"""Requests one after the other, in each round and for each way of asking."""
TOGETHER = 480
WARM_UP = 64
WAYS = ("whole", "streamed")

Figures = dict[str, Any]
Round = dict[str, float]


@contextmanager
def upstream() -> Iterator[int]:
    """The server's port."""
    command = [sys.executable, str(Path(__file__).with_name("overhead_server.py"))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None and process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.stdin.close()
            process.wait(timeout=5)


def server_spent_s(port: int) -> float:
    """Seconds of processor time that the server has used."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{SPENT}", timeout=5) as answer:
        return float(json.loads(answer.read())["spent_s"])


async def ask(client: Client, way: str) -> tuple[float, float]:
    """Microseconds of one request, and to its first piece (as much where it comes whole)."""
    started_s = time.perf_counter()
    if way == "whole":
        text, first_s = await client.whole(), None
    else:
        text, first_s = await client.streamed()
    ended_s = time.perf_counter()
    if text != TEXT:
        raise RuntimeError(f"not the text that was sent: {text[:100]!r}")
    return 1e6 * (ended_s - started_s), 1e6 * ((first_s or ended_s) - started_s)


async def together(client: Client, way: str, requests: int) -> None:
    """So many requests, MOST_AT_ONCE of them at any time."""
    left = iter(range(requests))

    async def worker() -> None:
        for _ in left:
            await ask(client, way)

    await asyncio.gather(*(worker() for _ in range(MOST_AT_ONCE)))


async def one_round(client: Client, way: str, port: int) -> Round:
    """One client, one way of asking: alone, then many at once."""
    for _ in range(WARM_UP // 4):
        await ask(client, way)
    worked_s = time.process_time()
    took, first = zip(*[await ask(client, way) for _ in range(ALONE)], strict=True)
    worked_alone_s = time.process_time() - worked_s
    await together(client, way, WARM_UP)
    server_s, started_s, worked_s = server_spent_s(port), time.perf_counter(), time.process_time()
    await together(client, way, TOGETHER)
    worked_s, elapsed_s = time.process_time() - worked_s, time.perf_counter() - started_s
    return {
        "p50_us": median(took),
        "p99_us": quantiles(took, n=100)[98],
        "first_piece_p50_us": median(first),
        "first_piece_p99_us": quantiles(first, n=100)[98],
        "processor_alone_us": 1e6 * worked_alone_s / ALONE,
        "requests_per_s": TOGETHER / elapsed_s,
        "processor_us": 1e6 * worked_s / TOGETHER,
        "server_busy": (server_spent_s(port) - server_s) / elapsed_s,
    }


async def measure(port: int, dialects: Sequence[Dialect], rounds: int) -> Figures:
    """Every client in every round; the first round warms up and does not count."""
    results: dict[tuple[str, str, str], list[Round]] = defaultdict(list)
    order = random.Random(0)
    for number in range(rounds + 1):
        say(f"round {number} of {rounds} ..." if number else "warming up ...")
        for dialect in dialects:
            for name in order.sample(list(CLIENTS), len(CLIENTS)):
                async with CLIENTS[name](port, dialect) as client:
                    for way in WAYS:
                        figures = await one_round(client, way, port)
                        results[dialect.kind, way, name] += [figures] * bool(number)
    return {
        dialect.kind: {way: {name: _middle(results[dialect.kind, way, name]) for name in CLIENTS} for way in WAYS}
        for dialect in dialects
    }


def _middle(rounds: list[Round]) -> Figures:
    middle: Figures = {key: round(median(one[key] for one in rounds), 3) for key in rounds[0]}
    return {**middle, "p50_us_of_each_round": [round(one["p50_us"], 1) for one in rounds]}


def tables(figures: Figures) -> list[Table]:
    """One table for each dialect and way of asking."""
    made = []
    for dialect, ways in figures["dialects"].items():
        for way, clients in ways.items():
            floor = clients[FLOOR]
            streamed = way == "streamed"
            rows = [
                [
                    name,
                    f"{one['p50_us']:,.0f}",
                    f"{one['p99_us']:,.0f}",
                    f"{one['p50_us'] - floor['p50_us']:+,.0f}",
                    *([f"{one['first_piece_p50_us']:,.0f}", f"{one['first_piece_p99_us']:,.0f}"] if streamed else []),
                    f"{one['processor_alone_us']:,.0f}",
                    f"{one['requests_per_s']:,.0f}",
                    f"{one['processor_us']:,.0f}",
                    f"{one['server_busy']:.0%}",
                ]
                for name, one in clients.items()
            ]
            columns = ["client", "p50", "p99", "above the floor"]
            columns += ["first piece p50", "p99"] if streamed else []
            columns += ["processor", f"requests/s, {MOST_AT_ONCE} at once", "processor", "server busy"]
            title = f"{dialect}, {f'streamed in {PIECES} pieces' if streamed else 'whole'}: µs a request"
            made.append(Table(title, columns, rows))
    note = (
        f"On the left one request at a time, on the right {MOST_AT_ONCE} at once. Above the floor: p50 less that of bare "
        f"sockets. Processor: of the clients' process. Medians of {figures['rounds']} rounds, event loop of "
        f"{figures['event_loop']}."
    )
    if not figures["sniffio"]:
        note += "\nhttpx looks for sniffio in every request; it is not installed here, so that is a failed import each time."
    return [*made[:-1], replace(made[-1], note=note)]


def main() -> None:
    options = parser(__doc__ or "")
    options.add_argument("--rounds", type=int, default=ROUNDS, help=f"rounds that count (default: {ROUNDS})")
    options.add_argument("--dialects", default=",".join(DIALECTS), help="separated by commas (default: all)")
    options = options.parse_args()
    dialects = [DIALECTS[name] for name in options.dialects.split(",") if name in DIALECTS]
    if not dialects or options.rounds < 1:
        raise SystemExit(f"one round at least, and dialects among {', '.join(DIALECTS)}")
    with upstream() as port, asyncio.Runner(loop_factory=new_loop) as runner:
        loop = type(runner.get_loop()).__module__.partition(".")[0]
        measured = runner.run(measure(port, dialects, options.rounds))
    figures = {
        "event_loop": loop,
        "sniffio": find_spec("sniffio") is not None,
        "rounds": options.rounds,
        "requests_alone": ALONE,
        "requests_together": TOGETHER,
        "at_once": MOST_AT_ONCE,
        "pieces": PIECES,
        "dialects": measured,
    }
    whole = len(dialects) == len(DIALECTS) and options.rounds >= ROUNDS
    report("overhead", options, tables(figures), figures, whole=whole)


if __name__ == "__main__":
    main()
