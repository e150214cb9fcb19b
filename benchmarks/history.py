"""What the history costs: the event loop for each request, the drainer's thread, and how many decisions a database takes.

    python benchmarks/history.py [--requests 2000] [--rounds 7]

A request is a decision among five candidates and one attempt with its answer; prompts and features are those of the
bundled history. SQLite is a file of this run, PostgreSQL the server of the tests; where none is installed it is left out.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from unittest.mock import patch

from common import PROMPTS, ROOT, Table, parser, report, say

from turnout.execution.asked import Asked
from turnout.execution.judging.signals import SIGNAL_NAMES
from turnout.execution.recorder import Recorder
from turnout.execution.served import Served
from turnout.features import extract
from turnout.history import History, new_id
from turnout.history.intake import Intake
from turnout.learning.simulation import read_prompts
from turnout.types import Answer, Attempt, Completion, Decision, Ranked, Request, Task, Tried, Usage

REQUESTS, ROUNDS = 2000, 7
TEXT = "The answer goes on for a line or two. " * 12
SEEN = 8
"""Of all signals, how many say something of an answer."""

Figures = dict[str, float]


def served(prompts: Iterable[str]) -> Iterator[Served]:
    """One finished request for each prompt."""
    ranking = tuple(
        Ranked(f"provider/model-{place}", 0.9 - 0.123 * place, 1.5 + place / 3, None, 0.5 - 0.1 * place)
        for place in range(5)
    )
    task = Task("edit", {"edit": 1.0}, "simple", 1.25, {"simple": 1.0, "medium": 0.0, "complex": 0.0}, "fast", 0.125)
    signals = {name: 0.8765 if place < SEEN else None for place, name in enumerate(SIGNAL_NAMES)}
    first = ranking[0].candidate
    answer = Answer(first, "model-0", text=TEXT, usage=Usage(100, 50))
    for prompt in prompts:
        attempt = Attempt(candidate=first, started_at=time.time(), total_s=1.2345, usage=answer.usage)
        tried = Tried(
            candidate=first, role="first", attempts=(attempt,), answer=answer, confidence=0.9, signals=signals
        )
        decision = Decision(first, 0.9, "the most likely to succeed", ranking, task, features=extract(prompt))
        completion = Completion(id="", answer=answer, decision=decision, confidence=0.9, reason="", tried=(tried,))
        yield Served(
            id="",
            asked=Asked(request=Request.of(prompt)),
            started_at=time.time(),
            total_s=1.3,
            decision=decision,
            tried=(tried,),
            completion=completion,
        )


@contextmanager
def drained() -> Iterator[Figures]:
    """Adds up the seconds that the drainer's thread spends on lines: of the processor, and in all."""
    spent: Figures = {"cpu_s": 0.0, "wall_s": 0.0}
    take = Intake.take

    def measured(intake: Intake, *arguments: Any) -> None:
        cpu_s, wall_s = time.thread_time(), time.perf_counter()
        take(intake, *arguments)
        spent["cpu_s"] += time.thread_time() - cpu_s
        spent["wall_s"] += time.perf_counter() - wall_s

    with patch.object(Intake, "take", measured):
        yield spent


def round_trip(url: str, folder: Path, news: list[Served]) -> Figures:
    """Microseconds of the event loop's processor for each request, then of the drainer's, which works afterwards."""
    with History(url, folder=folder, interval_s=3600) as history, patch.object(history._drainer, "nudge"):
        history.flush(60)
        recorder = Recorder(history, keep_texts=True)
        new = [replace(one, id=new_id()) for one in news]
        cpu_s = time.thread_time()
        for one in new:
            recorder.served(one)
        recorded_s = time.thread_time() - cpu_s
        with drained() as spent:
            if not history.flush(600) or history.status().committed != 2 * len(news):
                raise RuntimeError(f"not everything came in: {history.status()}")
    return {
        "record_us": 1e6 * recorded_s / len(news),
        "drain_cpu_us": 1e6 * spent["cpu_s"] / len(news),
        "decisions_per_s": len(news) / spent["wall_s"],
    }


def best(rounds: list[Figures]) -> Figures:
    """Of each figure the best: whatever else the machine does only makes it worse."""
    return {name: (max if name.endswith("_per_s") else min)(one[name] for one in rounds) for name in rounds[0]}


def _new_databases(stack: ExitStack) -> Callable[[], str] | None:
    """Makes addresses of empty databases of a PostgreSQL server; None where there is no server or no pytest."""
    if find_spec("pytest") is None:
        return None
    sys.path.insert(0, str(ROOT))
    import pytest
    from tests.history.postgres import serve_postgres

    try:
        return stack.enter_context(serve_postgres()).new_database
    except pytest.skip.Exception as reason:
        say(f"without PostgreSQL: {reason}")
        return None


def main() -> None:
    """Measure, print, write."""
    options = parser(__doc__ or "")
    options.add_argument("--requests", type=int, default=REQUESTS)
    options.add_argument("--rounds", type=int, default=ROUNDS)
    chosen = options.parse_args()
    texts = [row.prompt for row in read_prompts(PROMPTS)]
    news = list(served(texts[number % len(texts)] for number in range(chosen.requests)))
    figures: dict[str, Figures] = {}
    with ExitStack() as stack:
        new_database = _new_databases(stack)
        for name in ("SQLite", "PostgreSQL") if new_database is not None else ("SQLite",):
            rounds = []
            for number in range(chosen.rounds):
                say(f"{name}, round {number + 1} ...")
                with tempfile.TemporaryDirectory() as folder:
                    file = f"sqlite:///{folder}/history.db"
                    url = new_database() if new_database is not None and name == "PostgreSQL" else file
                    rounds.append(round_trip(url, Path(folder), news))
            figures[name] = best(rounds)
    table = Table(
        f"The history of {chosen.requests:,} requests, best of {chosen.rounds} rounds",
        ("database", "event loop, µs/request", "drainer, CPU µs/request", "decisions/s"),
        [(name, *map(round, one.values())) for name, one in figures.items()],
        "The event loop writes to the journal, whatever the database is.",
    )
    whole = len(figures) == 2 and (chosen.requests, chosen.rounds) == (REQUESTS, ROUNDS)
    report("history", chosen, [table], figures, whole=whole)


if __name__ == "__main__":
    main()
