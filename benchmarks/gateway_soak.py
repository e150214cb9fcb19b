"""The gateway under load for long: whether memory and descriptors stay as they are, and whether any answer is an error.

    python benchmarks/gateway_soak.py [--minutes M]

nginx with a fixed answer before it, `wrk` at 32 connections (Debian packages); routing and history on, every prompt
unlike all before it. wrk has no rate of its own, so the load rests two seconds of every ten: 80 % of what one process
reaches. Memory is of the gateway and its children together.
"""

from __future__ import annotations

import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any, Final

import psutil
from common import Table, parser, report, say
from gateway_load import wrk
from gateway_servers import nginx, turnout

from gateway import AT_ONCE

MINUTES: Final = 10.0
LOADED_S, RESTED_S = 8, 2
CLOSED_S: Final = 20
"""Until connections that the load broke off are closed: what is open then stays open."""
FLAT: Final = 0.05
"""Most growth of memory from the second fifth of the time, when caches and pools are full, to the last."""

Figures = dict[str, Any]


def soak(folder: Path, minutes: float) -> Figures:
    """Load it for so long.

    Raises:
        SystemExit: an answer was an error, or a connection broke.
    """
    with ExitStack() as stack:
        upstream = stack.enter_context(nginx(folder))
        port, process = stack.enter_context(turnout(folder / "soak", upstream))
        wrk(port, AT_ONCE, 5, folder)
        full = wrk(port, AT_ONCE, 10, folder)
        watched, samples = psutil.Process(process.pid), []
        time.sleep(CLOSED_S)
        at_rest = [watched.num_fds()]
        started_s = time.monotonic()
        while (elapsed_s := time.monotonic() - started_s) < 60 * minutes:
            part = wrk(port, AT_ONCE, LOADED_S, folder)
            time.sleep(RESTED_S)
            everybody = [watched, *watched.children(recursive=True)]
            samples.append(
                {
                    "minute": round(elapsed_s / 60, 2),
                    "memory_mib": round(sum(one.memory_info().rss for one in everybody) / 2**20, 1),
                    "descriptors": watched.num_fds(),
                    "requests": part["requests"],
                    "requests_per_s": round(part["requests_per_s"], 1),
                    "p99_us": part["p99_us"],
                }
            )
            if len(samples) % 6 == 0:
                say(f"{elapsed_s / 60:.1f} of {minutes:g} minutes: {samples[-1]}")
        time.sleep(CLOSED_S)
        at_rest.append(watched.num_fds())
    found = {"full_per_s": round(full["requests_per_s"], 1), "samples": samples, "descriptors_at_rest": at_rest}
    return found | {"aims": verdicts(samples, at_rest)}


def verdicts(samples: list[Figures], at_rest: list[int]) -> list[tuple[str, object, object, bool]]:
    """Every aim: what it is of, the figure, the aim, whether it is reached. An error would have ended the run."""
    fifth = max(1, len(samples) // 5)
    settled, last = samples[fifth : 2 * fifth] or samples[:1], samples[-fifth:]
    growth = median(one["memory_mib"] for one in last) / median(one["memory_mib"] for one in settled) - 1
    before, after = at_rest  # under load connections that are still closing come and go
    minutes = samples[-1]["minute"]
    return [
        (f"errors in {sum(one['requests'] for one in samples):,.0f} requests", 0, "0", True),
        (f"memory, growth within {minutes:.0f} minutes", f"{growth:+.1%}", f"≤ {FLAT:.0%}", growth <= FLAT),
        ("descriptors at rest, after against before", after, f"≤ {before}", after <= before),
    ]


def tables(figures: Figures) -> list[Table]:
    """Ten moments of it, and every aim."""
    samples = figures["samples"]
    rows = [
        [one["minute"], one["memory_mib"], one["descriptors"], f"{one['requests_per_s']:,.0f}", f"{one['p99_us']:,.0f}"]
        for one in [*samples[:: max(1, len(samples) // 10)], samples[-1]]
    ]
    columns = ["minute", "memory MiB", "descriptors", "requests/s", "µs p99"]
    aims = [[what, figure, aim, "yes" if reached else "NO"] for what, figure, aim, reached in figures["aims"]]
    return [
        Table(
            "under load for long",
            columns,
            rows,
            f"{AT_ONCE} at once; {figures['full_per_s']:,.0f} a second without rests.",
        ),
        Table("aims", ["what", "measured", "aim", "reached"], aims),
    ]


def main() -> None:
    """Run it."""
    options = parser(__doc__ or "")
    options.add_argument("--minutes", type=float, default=MINUTES, help=f"how long (default: {MINUTES:g})")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as name:
        figures = soak(Path(name), chosen.minutes)
    report("gateway_soak", chosen, tables(figures), figures, whole=chosen.minutes >= MINUTES)


if __name__ == "__main__":
    main()
