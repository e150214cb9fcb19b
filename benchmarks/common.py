"""What every benchmark shares: options, the facts of the machine, aligned tables, results written in one step."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from turnout.files import write_aside

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
PROMPTS = ROOT / "data" / "prompts.jsonl"
LIBRARIES = ("turnout", "numpy", "scipy", "scikit-learn", "pandas", "pyarrow", "joblib", "mlflow", "httpx", "aiohttp")


def parser(description: str) -> argparse.ArgumentParser:
    """Options that every benchmark takes."""
    options = argparse.ArgumentParser(description=description.partition("\n")[0])
    options.add_argument(
        "--shared", type=Path, default=ROOT.parent / "shared", help="folder with the outcome tables and their judge"
    )
    options.add_argument(
        "--results", type=Path, help="write results into this folder (default: benchmarks/results, whole runs only)"
    )
    return options


def say(text: str) -> None:
    """Progress, to standard error."""
    print(text, file=sys.stderr, flush=True)


def machine() -> dict[str, Any]:
    """What the figures were measured on, and how busy it was."""
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "os": f"{platform.system()} {platform.release()} {platform.machine()}",
        "load_average": [round(load, 2) for load in os.getloadavg()],
    }


def _cpu() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def commit() -> dict[str, Any]:
    """The checked-out commit, and whether what the benchmarks run differs from it."""
    change = _git("status", "--porcelain", "--", "src", "pipelines", "data", "benchmarks/*.py", "pyproject.toml")
    return {"id": _git("rev-parse", "HEAD"), "modified": bool(change)}


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def _command() -> str:
    script, said = Path(sys.argv[0]).resolve(), sys.argv[1:]
    if "--results" in said:  # where it is written says nothing of what was measured
        at = said.index("--results")
        del said[at : at + 2]
    return shlex.join(["python", str(script.relative_to(ROOT)), *said])


def report(name: str, options: argparse.Namespace, tables: Sequence[Table], figures: Any, *, whole: bool) -> None:
    """Print the tables; write `NAME.json`, of a run in parts only where --results says so."""
    print("\n\n".join(map(str, tables)), flush=True)
    if options.results is None and not whole:
        say("a run in parts: nothing written (--results FOLDER would)")
        return
    result = {
        "benchmark": name,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": _command(),
        "whole": whole,
        "commit": commit(),
        "machine": machine(),
        "versions": {"python": platform.python_version(), **{library: version(library) for library in LIBRARIES}},
        "figures": figures,
    }
    path = (options.results or RESULTS) / f"{name}.json"
    write_aside(path, (json.dumps(result, indent=1, ensure_ascii=False) + "\n").encode())
    say(f"written: {path}")


@dataclass(frozen=True)
class Table:
    """A table to print. Cells: text stays, floats get three decimals, None becomes a dash."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    note: str = ""

    def __str__(self) -> str:
        cells = [list(self.columns), *([cell(value) for value in row] for row in self.rows)]
        widths = [max(len(row[column]) for row in cells) for column in range(len(self.columns))]
        lines = [
            "  ".join(text.rjust(width) if column else text.ljust(width) for column, (text, width) in enumerate(pairs))
            for pairs in (list(zip(row, widths, strict=True)) for row in cells)
        ]
        lines.insert(1, "  ".join("-" * width for width in widths))
        return "\n".join([self.title, *(line.rstrip() for line in lines), *([self.note] if self.note else [])])

    def markdown(self) -> str:
        """The same as a Markdown section."""
        rows = [self.columns, ["---", *["--:"] * (len(self.columns) - 1)], *self.rows]
        lines = ["| " + " | ".join(cell(value) for value in row) + " |" for row in rows]
        return "\n".join([f"## {self.title}", "", *lines, *(["", self.note] if self.note else [])])


def cell(value: object) -> str:
    """One value as a table shows it."""
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.3f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def interval(figure: Sequence[float]) -> str:
    """A value with its 95 % interval, or the value alone where there is no interval."""
    return f"{figure[0]:.3f} [{figure[1]:.3f}, {figure[2]:.3f}]" if len(figure) == 3 else f"{figure[0]:.3f}"
