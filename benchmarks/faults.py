"""How every adapter ends under every fault of the emulators: which error, after how long, what is left behind.

    python benchmarks/faults.py [--kinds ollama,lmstudio] [--transport httpx]

Each cell is one request against a fresh emulator on loopback. Where only a time limit can end it, limits are under a
second; elsewhere they are long, so that a busy machine does not meet them. `tests/providers/test_faults.py` holds the
same table cell by cell.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from common import Table, parser, report, say
from fault_trials import (
    ANSWER,
    KEEPS_TEXT,
    KEY_VARIABLE,
    KINDS,
    SLACK_S,
    expected,
    limits,
    run_trial,
)
from process import descriptors

from turnout.emulators.faults import Fault, FaultName

SLOW_S = 0.05
LASTS_S = 1.0
STUCK_S = 20.0
"""A trial that takes this long is given up."""
_SETTLE_STEPS, _SETTLE_S = 100, 0.01

Figures = dict[str, Any]


@dataclass
class Cell:
    """One trial, and what speaks against it. `outcome` is an error's code, `answer`, or what should never happen."""

    fault: FaultName
    kind: str
    streamed: bool
    outcome: str
    seconds: float
    text: str = ""
    left: list[str] = field(default_factory=list)

    @property
    def expected(self) -> tuple[str, ...]:
        """Any of these outcomes is right."""
        return expected(self.kind, self.fault, streamed=self.streamed)

    @property
    def limit_s(self) -> float:
        """What the whole request may take."""
        return limits(_fault(self.fault)).total_s

    @property
    def keeps_text(self) -> bool:
        """Whether text came before the fault, which must not be lost."""
        return self.streamed and self.fault in KEEPS_TEXT

    @property
    def problems(self) -> list[str]:
        """Everything that is not as it should be."""
        problems = list(self.left)
        if self.outcome not in self.expected:
            problems.insert(0, f"{self.outcome}, expected {' or '.join(self.expected)}")
        if self.seconds >= self.limit_s + SLACK_S:
            problems.append(f"took {self.seconds:.2f} s")
        if self.keeps_text and not self.text:
            problems.append("the text that had come is lost")
        return problems

    def __str__(self) -> str:
        return f"{self.outcome} {self.seconds:.2f}{' !' if self.problems else ''}"

    def figures(self) -> Figures:
        """As the result has it."""
        return {
            **asdict(self),
            "seconds": round(self.seconds, 4),
            "text": len(self.text),
            "expected": list(self.expected),
            "problems": self.problems,
        }


def _fault(name: FaultName) -> Fault:
    return Fault(name, seconds=SLOW_S if name is FaultName.SLOW_FIRST_BYTE else LASTS_S)


async def try_out(fault: FaultName, kind: str, *, streamed: bool, transport: str) -> Cell:
    """One cell; whatever is open or running afterwards was left behind by it."""
    told: list[str] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: told.append(str(context.get("message"))))
    open_before, tasks_before = descriptors(), len(asyncio.all_tasks())
    started_s = loop.time()
    try:
        async with asyncio.timeout(STUCK_S):
            trial = await run_trial(kind, _fault(fault), streamed=streamed, transport=transport)
        cell = Cell(fault, kind, streamed, trial.outcome, trial.seconds, trial.text)
        cell.left += [f"{trial.slots} slot held"] * bool(trial.slots)
        cell.left += [f"{trial.generating} still generating"] * bool(trial.generating)
        tries = [attempt.error or ANSWER for attempt in trial.attempts]
        cell.left += [f"heard of attempts {tries}"] * (tries != [trial.outcome])
    except Exception as error:  # a cell that breaks is a finding, and the table goes on
        cell = Cell(fault, kind, streamed, f"unnamed {type(error).__name__}", loop.time() - started_s)
    for _ in range(_SETTLE_STEPS):
        if descriptors() == open_before and len(asyncio.all_tasks()) == tasks_before:
            break
        await asyncio.sleep(_SETTLE_S)
    else:
        connections, tasks = (descriptors() or 0) - (open_before or 0), len(asyncio.all_tasks()) - tasks_before
        cell.left += [f"{connections:+} descriptors"] * bool(connections) + [f"{tasks:+} tasks"] * bool(tasks)
    cell.left += [f"the event loop tells: {message}" for message in told]
    return cell


async def try_all(kinds: Sequence[str], transport: str) -> list[Cell]:
    """Every fault for every kind, streamed and in one piece."""
    cells = []
    for kind in kinds:
        say(f"{kind} ...")
        await run_trial(kind, None, streamed=True, transport=transport)  # what is loaded once is no trial's time
        cells += [
            await try_out(fault, kind, streamed=streamed, transport=transport)
            for fault in FaultName
            for streamed in (True, False)
        ]
    return cells


def summarise(cells: Sequence[Cell]) -> Figures:
    """The whole in some figures."""
    slowest = max(cells, key=lambda cell: cell.seconds - cell.limit_s)
    kept = [bool(cell.text) for cell in cells if cell.keeps_text]
    return {
        "cells": len(cells),
        "right": sum(cell.outcome in cell.expected for cell in cells),
        "clean": sum(not cell.left for cell in cells),
        "without_problem": sum(not cell.problems for cell in cells),
        "slowest_s": round(slowest.seconds, 3),
        "slowest": f"{slowest.kind}, {slowest.fault}, {'streamed' if slowest.streamed else 'whole'}",
        "limit_s": slowest.limit_s,
        "slack_s": SLACK_S,
        "text_kept": sum(kept),
        "text_to_keep": len(kept),
    }


def tables(cells: Sequence[Cell], kinds: Sequence[str], summary: Figures) -> list[Table]:
    """The table, and where something is wrong what it is."""
    by_place = {(cell.fault, cell.kind, cell.streamed): cell for cell in cells}
    rows = [
        [fault, *(f"{by_place[fault, kind, True]} / {by_place[fault, kind, False]}" for kind in kinds)]
        for fault in FaultName
    ]
    note = (
        f"{summary['cells']} cells: {summary['right']} end as they should, {summary['clean']} leave nothing behind, "
        f"partial text is kept {summary['text_kept']} of {summary['text_to_keep']} times.\n"
        f"Slowest for its limit: {summary['slowest_s']:.2f} s of {summary['limit_s']:g} s allowed (+ "
        f"{summary['slack_s']:g} s for a busy machine), {summary['slowest']}."
    )
    made = [Table("Faults by adapter: outcome and seconds, streamed / whole", ["fault", *kinds], rows, note)]
    wrong = [
        [cell.fault, cell.kind, "streamed" if cell.streamed else "whole", "; ".join(cell.problems)]
        for cell in cells
        if cell.problems
    ]
    if wrong:
        made.append(Table("Marked with !: not as it should be", ["fault", "adapter", "answer", "what"], wrong))
    return made


def main() -> None:
    options = parser(__doc__ or "")
    options.add_argument("--kinds", default=",".join(KINDS), help="adapters, separated by commas (default: all)")
    options.add_argument("--transport", default="aiohttp", choices=("aiohttp", "httpx"), help="(default: aiohttp)")
    options = options.parse_args()
    kinds = options.kinds.split(",")
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown:
        raise SystemExit(f"no adapter {', '.join(unknown)}; there are {', '.join(KINDS)}")
    os.environ.setdefault(KEY_VARIABLE, "a-key-of-the-trials")
    cells = asyncio.run(try_all(kinds, options.transport))
    summary = summarise(cells)
    figures = {
        "transport": options.transport,
        "limits": {fault: asdict(limits(_fault(fault))) for fault in FaultName},
        "summary": summary,
        "cells": [cell.figures() for cell in cells],
    }
    whole = set(kinds) == set(KINDS) and options.transport == "aiohttp"
    report("faults", options, tables(cells, kinds, summary), figures, whole=whole)


if __name__ == "__main__":
    main()
