"""A configuration that changes a thousand times under 200 decisions a second: nothing dropped, nothing mixed.

    python benchmarks/reloads.py [--watched 200] [--reloads 1000] [--rate 200]

Every version of the file carries its number in six places (a candidate, a rule's name, its threshold and preference, a
pattern of secrets, a price), and each decision must carry one and the same number in all of them, the one
whose fingerprint it bears. First the file is written as editors do, and the watcher with its ordinary patience has to
notice; every fifth version is followed by a file that is wrong. Then the rest are read one after another by
`LiveConfiguration.reload()`, the same path without the waiting.
A decision counts as dropped when it fails, or when it is not made within a second of its time.
"""

from __future__ import annotations

import argparse
import logging
import random
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from common import PROMPTS, Table, parser, report, say
from route import fit_on_history

from turnout import Router
from turnout.config.live import LiveConfiguration
from turnout.config.loader import Loaded
from turnout.learning.simulation import read_prompts
from turnout.policy.policy import Policy
from turnout.types import Decision, Request
from turnout.types.tokens import likely_tokens

THREADS = 4
LATE_S = 1.0
"""A decision that comes later than this after its time was dropped, as callers see it."""
PAUSE = 1.5
"""Pause after each reload that is read at once, in times of what it took: reloads and decisions share one interpreter,
and without a pause it would be full of reloads."""
WAIT_S = 20.0
INVALID_EVERY = 5
FILLER_RULES = 28
QUIET_S = 5.0
SECRET = "number 4711-X"  # what every version looks for, each under a name of its own
BROKEN = (
    "routing: {rules: [{name: broken, when: \"nobody == 'x'\", then: {hold: true}}]}\n",
    "routing: {preference: hasty}\n",
    "providers: [lmstudio\n",
)

Figures = dict[str, Any]


def content(version: int) -> str:
    """A valid file that says its version wherever a decision can show it."""
    rules = "".join(
        f"    - {{name: filler {n}, when: \"prompt_tokens > {100_000 + n} && 'test' in keywords\", then: {{hold: true}}}}\n"
        for n in range(FILLER_RULES)
    )
    return (
        "providers:\n  lmstudio:\n    models:\n"
        f"      - {{name: m{version}, prompt_usd_per_million: {version}}}\n      - other\n"
        f"privacy:\n  patterns:\n    p{version}: '[0-9]{{4}}-X'\n"
        "routing:\n  rules:\n"
        f"    - name: r{version}\n      when: \"'p{version}' in secrets\"\n"
        f"      then: {{threshold: {version / 10_000}, preference: {version}, force: lmstudio/m{version}}}\n{rules}"
    )


def numbers(decision: Decision, prompt: str, versions: dict[str, int]) -> tuple[int | None, ...]:
    """The version in each place where a decision shows it; None where a place shows none."""
    cost_usd = decision.ranking[0].cost_usd
    return (
        versions.get(decision.configuration),
        _number(decision.candidate.partition("/")[2], "m"),
        _number(" ".join(decision.rules), "r"),
        round((decision.threshold or 0) * 10_000),
        int(float(decision.preference)),
        _number(" ".join(decision.secrets), "p"),
        None if cost_usd is None else round(cost_usd * 1e6 / likely_tokens(Request.of(prompt))),
    )


def _number(text: str, mark: str) -> int | None:
    number = text.removeprefix(mark)
    return int(number) if number.isdigit() else None


@dataclass
class Decided:
    """What one thread saw."""

    made: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    late: int = 0
    mixed: list[tuple[int | None, ...]] = field(default_factory=list)
    late_s: list[float] = field(default_factory=list)
    spent_s: list[float] = field(default_factory=list)
    seen: set[int] = field(default_factory=set)


class Load:
    """Threads that decide at a steady rate, whatever happens to the configuration."""

    def __init__(self, router: Router, versions: dict[str, int], prompts: Sequence[str], rate: float) -> None:
        self._router, self._versions, self._prompts = router, versions, prompts
        self._every_s = THREADS / rate
        self._stop = threading.Event()
        self._began_s = time.perf_counter()
        self.results = [Decided() for _ in range(THREADS)]
        self._threads = [threading.Thread(target=self._decide, args=(n,)) for n in range(THREADS)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _decide(self, thread: int) -> None:
        result, turn = self.results[thread], 0
        drawn = random.Random(thread)
        while not self._stop.is_set():
            due_s = self._began_s + (turn + thread / THREADS) * self._every_s
            turn += 1
            if (early_s := due_s - time.perf_counter()) > 0:
                time.sleep(early_s)
            prompt = f"{drawn.choice(self._prompts)} {SECRET}"
            started_s = time.perf_counter()
            try:
                decision = self._router.route(prompt)
            except Exception as error:  # whatever it is, the caller has no decision
                result.failed[f"{type(error).__name__}: {error}"] += 1
                continue
            ended_s = time.perf_counter()
            result.made += 1
            result.spent_s.append(ended_s - started_s)
            result.late_s.append(ended_s - due_s)
            result.late += ended_s - due_s > LATE_S
            found = set(numbers(decision, prompt, self._versions))
            result.seen |= {number for number in found if number is not None}
            if len(found) != 1:
                result.mixed.append(numbers(decision, prompt, self._versions))


class Served:
    """The listener: compiles a policy, hands it to the router, and notes when."""

    def __init__(self, router: Router, versions: dict[str, int]) -> None:
        self._router, self._versions = router, versions
        self.at_s: dict[int, float] = {}
        self.cost_s: list[float] = []
        self.changed = threading.Condition()

    def __call__(self, _before: Loaded, after: Loaded) -> None:
        started_s = time.perf_counter()
        version = version_of(after)
        self._versions[after.fingerprint] = version
        self._router.configure(Policy(after.configuration))
        ended_s = time.perf_counter()
        with self.changed:
            self.at_s[version] = ended_s
            self.cost_s.append(ended_s - started_s)
            self.changed.notify_all()

    def wait(self, version: int) -> bool:
        """Until a version serves; False where it never does."""
        with self.changed:
            return self.changed.wait_for(lambda: version in self.at_s, WAIT_S)


def version_of(loaded: Loaded) -> int:
    """The number that a configuration carries."""
    return int(loaded.configuration.candidates[0].partition("/m")[2])


def write(path: Path, text: str, *, aside: bool) -> float:
    """Write as editors do, beside and renamed over or in place; the moment at which the content was there."""
    if aside:
        other = path.with_name(f".{path.name}.swp")
        other.write_text(text)
        other.replace(path)
    else:
        path.write_text(text)
    return time.perf_counter()


def watched(live: LiveConfiguration, served: Served, versions: range) -> Figures:
    """Versions that the watcher has to notice, and wrong files in between, of which none may serve."""
    waited_s, unnoticed, wrong_served, wrong = [], 0, 0, 0
    for version in versions:
        written_s = write(live.path, content(version), aside=version % 2 == 0)
        if not served.wait(version):
            unnoticed += 1
            continue
        waited_s.append(served.at_s[version] - written_s)
        if version % INVALID_EVERY == 0:
            wrong += 1
            told_at = live.status.problem_at
            write(live.path, BROKEN[wrong % len(BROKEN)], aside=version % 2 == 1)
            end_s = time.monotonic() + WAIT_S
            while live.status.problem_at == told_at and time.monotonic() < end_s:
                time.sleep(0.01)
            unnoticed += not live.status.problems
            wrong_served += version_of(live.current) != version
        if version % 50 == 0:
            say(f"  {version} written")
    return {
        "reloads": len(waited_s),
        "wrong_files": wrong,
        "wrong_served": wrong_served,
        "unnoticed": unnoticed,
        "write_to_serving_ms": _milliseconds(waited_s),
    }


def read(live: LiveConfiguration, served: Served, versions: range) -> Figures:
    """Versions read one right after another, wrong ones in between."""
    spent_s, wrong, wrong_served, unserved = [], 0, 0, 0
    began_s = time.perf_counter()
    for version in versions:
        write(live.path, content(version), aside=True)
        started_s = time.perf_counter()
        live.reload()
        spent_s.append(time.perf_counter() - started_s)
        unserved += version not in served.at_s
        time.sleep(PAUSE * spent_s[-1])
        if version % INVALID_EVERY == 0:
            wrong += 1
            write(live.path, BROKEN[wrong % len(BROKEN)], aside=True)
            wrong_served += live.reload() or not live.status.problems
    return {
        "reloads": len(spent_s),
        "wrong_files": wrong,
        "wrong_served": wrong_served,
        "unnoticed": unserved,
        "a_second": round(len(spent_s) / (time.perf_counter() - began_s), 1),
        "reload_ms": _milliseconds(spent_s),
    }


def _milliseconds(seconds: Sequence[float]) -> Figures:
    values = np.asarray(seconds or [np.nan]) * 1000
    p50, p99 = np.percentile(values, (50, 99))
    return {"p50": round(float(p50), 2), "p99": round(float(p99), 2), "max": round(float(values.max()), 2)}


def summarise(results: Sequence[Decided]) -> Figures:
    """What all threads saw."""
    failed = sum((result.failed for result in results), Counter())
    mixed = [entry for result in results for entry in result.mixed]
    late = sum(result.late for result in results)
    return {
        "decisions": sum(result.made for result in results) + failed.total(),
        "failed": failed.total(),
        "reasons": dict(failed.most_common(5)),
        "late": late,
        "dropped": failed.total() + late,
        "mixed": len(mixed),
        "mixed_examples": mixed[:5],
        "versions_seen": len(set().union(*(result.seen for result in results))),
        "decision_ms": _milliseconds([s for result in results for s in result.spent_s]),
        "behind_time_ms": _milliseconds([s for result in results for s in result.late_s]),
    }


def measure(options: argparse.Namespace, folder: Path) -> Figures:
    """All of it."""
    prompts = [row.prompt for row in read_prompts(PROMPTS) if row.part == "heldout"]
    fit_on_history(folder)
    path = folder / "hybrid.yaml"
    path.write_text(content(1))
    live = LiveConfiguration(path, environment={})
    router = Router.load(folder, configuration=Policy(live.current.configuration))
    versions = {live.current.fingerprint: 1}
    served = Served(router, versions)
    live.on_change(served)
    logging.getLogger("turnout.config.live").setLevel(logging.CRITICAL)  # wrong files are part of the plan
    say("without a change ...")
    with Load(router, versions, prompts, options.rate) as load:
        time.sleep(QUIET_S)
    quiet = summarise(load.results)
    first = 2 + options.watched
    with Load(router, versions, prompts, options.rate) as load:
        say(f"{options.watched} written files that the watcher notices ...")
        with live:
            time.sleep(0.5)  # the watcher is on its way
            seen = watched(live, served, range(2, first))
        say(f"{options.reloads - options.watched} more, read one after another ...")
        direct = read(live, served, range(first, 2 + options.reloads))
    return {
        "rate": options.rate,
        "threads": THREADS,
        "quiet": quiet,
        "decisions": summarise(load.results),
        "watched": seen,
        "read": direct,
        "compile_ms": _milliseconds(served.cost_s),
        "settle_s": 0.1,
    }


def tables(figures: Figures) -> list[Table]:
    """What is printed."""
    found, quiet, seen, direct = (figures[key] for key in ("decisions", "quiet", "watched", "read"))
    return [
        Table(
            f"{seen['reloads'] + direct['reloads']:,} reloads under {figures['rate']:g} decisions a second "
            f"({figures['threads']} threads, one router)",
            ["", "decisions", "failed", "late", "mixed", "p50 ms", "p99 ms", "max ms", "behind time p99 ms"],
            [
                [
                    told,
                    part["decisions"],
                    part["failed"],
                    part["late"],
                    part["mixed"],
                    *(f"{part['decision_ms'][key]:.2f}" for key in ("p50", "p99", "max")),
                    f"{part['behind_time_ms']['p99']:.2f}",
                ]
                for told, part in (("no reload", quiet), ("reloads", found))
            ]
            + [["target", None, 0, 0, 0, None, None, None, None]],
            f"Late: made more than {LATE_S:g} s after its time. Mixed: not the same version in all six places of the "
            f"decision and its fingerprint. {found['versions_seen']:,} versions were seen serving."
            + "".join(f"\n  failed {count} times: {reason}" for reason, count in found["reasons"].items())
            + "".join(f"\n  mixed: {entry}" for entry in found["mixed_examples"]),
        ),
        Table(
            "Reloads",
            ["", "reloads", "wrong files", "of them served", "unnoticed", "p50 ms", "p99 ms", "max ms"],
            [
                _row("file event: from write to serving", seen, "write_to_serving_ms"),
                _row("read at once: the whole reload", direct, "reload_ms"),
                [
                    "of it: compiling the policy",
                    *[None] * 4,
                    *(f"{figures['compile_ms'][k]:.1f}" for k in ("p50", "p99", "max")),
                ],
            ],
            f"File events: {seen['reloads']} written and noticed by the watcher, which waits {figures['settle_s']:g} s "
            f"for a file to settle and gathers events for 0.05 s. The other {direct['reloads']} were written and read by "
            f"reload(), {direct['a_second']:g} a second: waiting for all of them to be noticed would only be waiting.",
        ),
    ]


def _row(told: str, part: Figures, key: str) -> list[object]:
    counts = [part[name] for name in ("reloads", "wrong_files", "wrong_served", "unnoticed")]
    return [told, *counts, *(f"{part[key][name]:.1f}" for name in ("p50", "p99", "max"))]


def main() -> None:
    options = parser(__doc__ or "")
    options.add_argument("--reloads", type=int, default=1000, help="changes of the file (default: 1000)")
    options.add_argument("--watched", type=int, default=200, help="of them by file events (default: 200)")
    options.add_argument("--rate", type=float, default=200.0, help="decisions a second (default: 200)")
    options = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(options, Path(folder))
    whole = options.reloads >= 1000 and options.watched >= 100 and options.rate >= 200
    report("reloads", options, tables(figures), figures, whole=whole)


if __name__ == "__main__":
    main()
