"""`turnout warm`: bring candidates into memory before they are needed."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from turnout.cli import exits
from turnout.cli.arguments import configuration_options
from turnout.cli.opening import check_candidate, hint, opened
from turnout.cli.terminal import console, note
from turnout.errors import NotFoundError, ProviderError, UnreachableError

if TYPE_CHECKING:
    from turnout.execution.status import CandidateStatus, Status


def add_command(commands: Any, shared: argparse.ArgumentParser) -> None:
    """Register `warm`."""
    parser = commands.add_parser(
        "warm",
        parents=[shared, configuration_options()],
        help="bring candidates into memory before they are needed",
        epilog="exit codes: 0 all are there, 1 one could not be loaded, 2 wrong usage or configuration, 130 stopped",
    )
    parser.add_argument("candidates", nargs="+", metavar="CANDIDATE", help="such as ollama/llama3.1:8b")
    parser.set_defaults(run=run, failed=exits.failed)


def run(options: argparse.Namespace) -> int:
    """Load one after the other, since two at once could put each other out."""
    seconds: dict[str, float] = {}
    problems: dict[str, str] = {}
    with opened(options) as client:
        known = client.status()
        for candidate in options.candidates:
            check_candidate(known, candidate)
        for candidate in options.candidates:
            try:
                with _bar(candidate, _there(known, candidate).speeds.load_s):
                    seconds[candidate] = client.warm(candidate)
            except ProviderError as error:
                problems[candidate] = error.message
                note(str(error))
        if problems:
            hint(client)
    if options.json:
        print(json.dumps({"warmed": {name: round(took_s, 3) for name, took_s in seconds.items()}, "failed": problems}))
    else:
        for name, took_s in seconds.items():
            print(f"{name}: loaded in {took_s:.1f} s" if took_s else f"{name}: nothing to load")
    return exits.NO_ANSWER if problems else exits.ANSWERED


def _there(known: Status, candidate: str) -> CandidateStatus:
    """What is known of a candidate whose provider listens.

    Raises:
        ProviderError: it does not, or has no such language model.
    """
    provider, _, model = candidate.partition("/")
    state = known.providers.get(provider)
    if state is not None and not state.available:
        raise UnreachableError(state.problem, provider=provider, model=model)
    if candidate not in known.candidates:
        raise NotFoundError("nobody has it", provider=provider, model=model)
    return known.candidates[candidate]


@contextmanager
def _bar(candidate: str, expected_s: float | None) -> Iterator[None]:
    """How far a load should be by now, on standard error: it took so long before. Only motion where nobody knows."""
    from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeElapsedColumn
    from rich.progress_bar import ProgressBar

    class Expected(BarColumn):
        def render(self, task: Task) -> ProgressBar:
            task.completed = min(task.elapsed or 0.0, 0.99 * (expected_s or 0.0))
            return super().render(task)

    screen = console(stderr=True)
    columns: list[ProgressColumn] = [TextColumn("loading {task.description}"), Expected(), TimeElapsedColumn()]
    with Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal) as progress:
        progress.add_task(candidate, total=expected_s)
        yield
