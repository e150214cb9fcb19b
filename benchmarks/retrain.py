"""What retraining costs as the history grows, up to a million logged decisions; Linux only, for the memory figures.

    python benchmarks/retrain.py [--largest DECISIONS]

One SQLite history grows from size to size; at each, `turnout retrain` runs as a person runs it, in a process of its own
whose memory is sampled together with that of its workers. Two candidates, one decision in ten explores, every decision
has a result. Prompts and features are kept, as by default: 50,000 different texts, each prompt with a word of its own.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from common import PROMPTS, Table, parser, report, say
from scale import CANDIDATES, DIFFICULTY_AT_HALF, MEMORY_LIMIT_GIB, resident_bytes, slope, synthesise

from turnout.features import Features, extract, schema_hash
from turnout.history import DecisionRecord, OutcomeRecord, Record
from turnout.history.database import Database
from turnout.history.encoding import Encoder
from turnout.history.fingerprints import Fingerprints
from turnout.history.rows import read_line
from turnout.history.store import Store
from turnout.learning.simulation import read_prompts
from turnout.types import Ranked

SIZES = (10_000, 30_000, 100_000, 300_000, 1_000_000)
SLOPE_LIMIT = 1.0
TEXTS = 50_000
EXPLORATION = 0.1
BEGINNING, APART_S = 1_750_000_000.0, 5.0
_AT_ONCE = 2_000
_SAMPLE_EVERY_S = 0.1

Figures = dict[str, Any]


def records(texts: list[tuple[str, Features]], first: int, last: int) -> Iterator[Record]:
    """Decisions and their outcomes, by number; the incumbent sends what is hard to the larger one."""
    rng = random.Random(first)
    schema = schema_hash()
    for number in range(first, last):
        prompt, features = texts[number % len(texts)]
        difficulty = 2.0 + 8.0 * (hash(prompt) % 1000) / 1000
        usual = int(difficulty > 6.0)
        chosen = rng.randrange(2) if rng.random() < EXPLORATION else usual
        name = CANDIDATES[chosen]
        decision = DecisionRecord(
            created_at=BEGINNING + APART_S * number,
            candidate=name,
            confidence=0.5,
            propensity=1 - EXPLORATION / 2 if chosen == usual else EXPLORATION / 2,
            preference="balanced",
            ranking=tuple(Ranked(CANDIDATES[at], 0.5, 1.0 + 4.0 * at, None, 0.5) for at in (chosen, 1 - chosen)),
            prompt=f"{prompt} item_{number}",
            features=features,
            features_schema=schema,
        )
        yield decision
        right = rng.random() < 1 / (1 + np.exp(difficulty - DIFFICULTY_AT_HALF[name]))
        yield OutcomeRecord(
            decision_id=decision.id,
            candidate=name,
            source="verifier",
            score=float(right),
            created_at=decision.created_at + 1.0,
        )


def grow(store: Store, texts: list[tuple[str, Features]], first: int, last: int) -> None:
    """Bring in the decisions from `first` up to `last`."""
    encoder = Encoder("full", Fingerprints(b"b" * 32))
    for at in range(first, last, _AT_ONCE):
        made = records(texts, at, min(at + _AT_ONCE, last))
        store.insert(read_line(encoder.line(record).removesuffix(b"\n")) for record in made)


def retrain(history: str, folder: Path) -> Figures:
    """Retrain once; seconds, and the most memory held at once."""
    command = [sys.executable, "-m", "turnout.cli.main", "retrain", "--history", history, "--json"]
    surroundings = {
        **os.environ,
        "TURNOUT_MODELS": str(folder / "models"),
        "TURNOUT_STATE": str(folder / "state"),
        "TURNOUT_BASE": "off",
    }
    began, peak = time.perf_counter(), 0
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env=surroundings, cwd=folder)
        while process.poll() is None:
            peak = max(peak, resident_bytes(process.pid))
            time.sleep(_SAMPLE_EVERY_S)
    output = process.stdout.read() if process.stdout else ""
    try:
        found = json.loads(output)
    except ValueError:
        raise SystemExit(f"retraining failed ({process.returncode}): {(folder / 'log').read_text()[-2000:]}") from None
    return {
        "seconds": round(time.perf_counter() - began, 1),
        "peak_gib": round(peak / 2**30, 2),
        "verdict": found["verdict"],
        "trained_and_judged": found["history"]["kept"],
    }


def table(figures: Figures) -> Table:
    """One row for each size."""
    sizes = figures["sizes"]
    rows: list[list[object]] = [
        [
            f"{size['rows']:,}",
            f"{size['trained_and_judged']:,}",
            f"{size['seconds']:.1f}",
            f"{1000 * size['seconds'] / size['rows']:.3f}",
            slope(sizes[max(0, at - 1) : at + 1]),
            f"{size['peak_gib']:.2f}",
            size["verdict"],
        ]
        for at, size in enumerate(sizes)
    ]
    most = max(size["peak_gib"] for size in sizes)
    rows.append(["all sizes", None, None, None, figures["slope"], f"{most:.2f}", None])
    rows.append(["limit", None, None, None, f"{SLOPE_LIMIT}", f"{MEMORY_LIMIT_GIB}", None])
    columns = ["decisions", "kept", "seconds", "s per 1,000", "slope from the last", "peak GiB", "the gate"]
    note = (
        "Whole `turnout retrain`, process start to report. Slope: of log seconds over log decisions; in proportion is 1. "
        "Of a longer history at most 200,000 decisions are kept, a sample in which recent ones are likelier."
    )
    return Table("Retraining from the history: seconds and memory", columns, rows, note)


def main() -> None:
    """Grow, retrain, print, write."""
    options = parser(__doc__ or "")
    options.add_argument("--largest", type=int, default=SIZES[-1], metavar="DECISIONS", help="leave out larger sizes")
    chosen = options.parse_args()
    sizes = [size for size in SIZES if size <= chosen.largest]
    if not sizes:
        raise SystemExit(f"the smallest size is {SIZES[0]:,} decisions")
    say("making prompts ...")
    prompts = synthesise(read_prompts(PROMPTS), min(TEXTS, sizes[-1]))["prompt"][:: len(CANDIDATES)]
    texts = [(prompt, extract(prompt)) for prompt in prompts]
    found = []
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        url = f"sqlite:///{folder / 'history.db'}"
        database = Database(url)
        store, before = Store(database), 0
        for size in sizes:
            say(f"writing {size - before:,} more decisions ...")
            grow(store, texts, before, size)
            before = size
            found.append({"rows": size, **retrain(url, folder)})
            say(f"{size:,} decisions: {found[-1]['seconds']} s, {found[-1]['peak_gib']} GiB")
        database.close()
    figures = {"sizes": found, "slope": slope(found), "limits": {"peak_gib": MEMORY_LIMIT_GIB, "slope": SLOPE_LIMIT}}
    report("retrain", chosen, [table(figures)], figures, whole=len(sizes) == len(SIZES))


if __name__ == "__main__":
    main()
