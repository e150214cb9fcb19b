"""The gateway beside LiteLLM's proxy, both before one nginx with a fixed answer: requests a second, and what each adds.

    python benchmarks/gateway.py [--rounds N] [--seconds S] [--litellm PYTHON]

nginx, `wrk` and LiteLLM are others' programs: the first two are Debian packages, the last is installed into a virtual
environment of its own (.venv-litellm; made once, 750 MB). One process each, routing and history on for Turnout, every
prompt unlike all before it. Rounds go through direct, Turnout and LiteLLM in changing order; differences are taken
within each round. The load runs on the same machine and takes its part of it. `gateway_soak.py` loads it for long.
"""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

from common import ROOT, Table, parser, report, say
from gateway_load import first_tokens, wrk
from gateway_servers import litellm, nginx, turnout

ROUNDS, SECONDS, STREAMS = 7, 5.0, 100
AT_ONCE = 32
WAYS = ("direct", "turnout", "litellm")
TIMES, LEAST_PER_S, P50_US, P99_US, FIRST_US = 10.0, 1000.0, 1000.0, 3000.0, 2000.0

Figures = dict[str, Any]


def litellm_python(path: Path) -> Path:
    """The interpreter of LiteLLM's environment, which is made where there is none."""
    if not path.exists():
        say(f"installing LiteLLM into {path.parents[1]} ...")
        subprocess.run([sys.executable, "-m", "venv", str(path.parents[1])], check=True)
        subprocess.run([str(path), "-m", "pip", "install", "--quiet", "litellm[proxy]"], check=True)
    return path


def measure(folder: Path, rounds: int, seconds: float, python: Path) -> Figures:
    """All ways in every round; the first round warms up and does not count."""
    order = random.Random(0)
    found: dict[str, dict[str, list[Figures]]] = {name: defaultdict(list) for name in ("alone", "together", "first")}
    with ExitStack() as stack:
        upstream = stack.enter_context(nginx(folder))
        own, _ = stack.enter_context(turnout(folder / "whole", upstream))
        own_streamed, _ = stack.enter_context(turnout(folder / "streamed", upstream, streamed=True))
        other, _ = stack.enter_context(litellm(folder, upstream, python))
        ports = {"direct": upstream, "turnout": own, "litellm": other}
        streams = {
            "direct": (upstream, "/streamed/v1/chat/completions"),
            "turnout": (own_streamed, "/v1/chat/completions"),
        }
        for number in range(rounds + 1):
            say(f"round {number} of {rounds} ..." if number else "warming up ...")
            for way in order.sample(WAYS, len(WAYS)):
                alone = wrk(ports[way], 1, seconds, folder)
                together = wrk(ports[way], AT_ONCE, seconds, folder)
                found["alone"][way] += [alone] * bool(number)
                found["together"][way] += [together] * bool(number)
                if way in streams:
                    took = sorted(first_tokens(*streams[way], STREAMS))
                    figures = {"p50_us": median(took), "p99_us": took[int(0.99 * len(took))]}
                    found["first"][way] += [figures] * bool(number)
        version = subprocess.run(
            [str(python), "-c", "from importlib.metadata import version; print(version('litellm'))"],
            capture_output=True,
            text=True,
            check=False,
        ).stdout.strip()
    return {"litellm": version, **{name: _summed(kinds) for name, kinds in found.items()}}


def _summed(kinds: dict[str, list[Figures]]) -> Figures:
    """Medians of rounds, and what each way adds to direct within each round."""
    told: Figures = {}
    for way, rounds in kinds.items():
        told[way] = {key: round(median(one[key] for one in rounds), 1) for key in rounds[0]}
        told[way]["of_each_round"] = {key: [round(one[key], 1) for one in rounds] for key in rounds[0]}
        if way != "direct":
            for key in ("p50_us", "p99_us"):
                more = [one[key] - base[key] for one, base in zip(rounds, kinds["direct"], strict=True)]
                told[way][f"added_{key}"] = {"median": round(median(more), 1), "least": round(min(more), 1)}
    return told


def verdicts(figures: Figures) -> list[tuple[str, object, object, bool]]:
    """Every aim: what it is of, the figure, the aim, whether it is reached."""
    alone, together, first = figures["alone"], figures["together"], figures["first"]
    own, other = together["turnout"]["requests_per_s"], together["litellm"]["requests_per_s"]
    p50, p99 = alone["turnout"]["added_p50_us"]["median"], alone["turnout"]["added_p99_us"]["median"]
    token = first["turnout"]["added_p50_us"]["median"]
    return [
        (f"requests a second at {AT_ONCE} over LiteLLM's", round(own / other, 1), f"≥ {TIMES:g}", own >= TIMES * other),
        (f"requests a second at {AT_ONCE}", own, f"≥ {LEAST_PER_S:g}", own >= LEAST_PER_S),
        ("µs added at one request, p50", p50, f"≤ {P50_US:g}", p50 <= P50_US),
        ("µs added at one request, p99", p99, f"≤ {P99_US:g}", p99 <= P99_US),
        ("µs added to the first token, p50", token, f"≤ {FIRST_US:g}", token <= FIRST_US),
    ]


def tables(figures: Figures) -> list[Table]:
    """The ways beside each other, and every aim."""
    made = []
    if "alone" in figures:
        rows = []
        for way in WAYS:
            alone, together, first = (figures[name].get(way) for name in ("alone", "together", "first"))
            rows.append(
                [way]
                + [f"{alone[key]:,.0f}" for key in ("p50_us", "p99_us")]
                + [
                    f"{alone[f'added_{key}']['median']:+,.0f}" if way != "direct" else ""
                    for key in ("p50_us", "p99_us")
                ]
                + [f"{together['requests_per_s']:,.0f}", f"{together['p99_us']:,.0f}"]
                + [
                    f"{first['p50_us']:,.0f}" if first else "",
                    f"{first['added_p50_us']['median']:+,.0f}" if first and way != "direct" else "",
                ]
            )
        columns = [
            "way",
            "µs p50",
            "p99",
            "adds p50",
            "adds p99",
            f"requests/s at {AT_ONCE}",
            "µs p99",
            "first token µs p50",
            "adds",
        ]
        made.append(Table("one process each, before one nginx", columns, rows, f"LiteLLM {figures['litellm']}."))
        aims = [[what, figure, aim, "yes" if reached else "NO"] for what, figure, aim, reached in figures["aims"]]
        made.append(Table("aims", ["what", "measured", "aim", "reached"], aims))
    return made


def main() -> None:
    options = parser(__doc__ or "")
    options.add_argument("--rounds", type=int, default=ROUNDS, help=f"rounds that count (default: {ROUNDS})")
    options.add_argument("--seconds", type=float, default=SECONDS, help=f"of each load (default: {SECONDS:g})")
    options.add_argument("--litellm", type=Path, metavar="PYTHON", default=ROOT / ".venv-litellm" / "bin" / "python")
    options = options.parse_args()
    if options.rounds < 1 or options.seconds < 1:
        raise SystemExit("one round at least, of a second at least")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        figures = measure(folder, options.rounds, options.seconds, litellm_python(options.litellm))
    figures |= {"rounds": options.rounds, "seconds": options.seconds}
    figures["aims"] = verdicts(figures)
    report("gateway", options, tables(figures), figures, whole=options.rounds >= ROUNDS)


if __name__ == "__main__":
    main()
