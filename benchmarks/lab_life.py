"""One seed of the laboratory's benchmark: live requests without a history, the real retraining job, then judged requests."""

from __future__ import annotations

import asyncio
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from common import ROOT, say
from lab_rows import Judged, Life, Logged, Plan, Reply

from turnout import HybridClient
from turnout.lab import Task, judge
from turnout.lab.engine import MOST_TOKENS
from turnout.lab.laboratory import Laboratory, laboratory
from turnout.lab.world import stream
from turnout.types import Completion, Sampling

GREEDY = Sampling(temperature=0.0, logprobs=True, max_tokens=MOST_TOKENS)
WARM_UP = ("Reverse ab.", "Uppercase ab.", "Sort ba.")
AT_ONCE = 2
"""Requests under way while the history grows, on two cores; while requests are judged there is one."""

SAY_EVERY = 1000
MODELS = ROOT / "models" / "lab"


async def live(folder: Path, seed: int, plan: Plan) -> Life:
    """Learn and be judged, in an empty folder."""
    told = home(folder)
    os.environ.update(told)
    tasks = distinct(seed)
    began = time.perf_counter()
    async with laboratory(folder, exploration=plan.exploration, settings=plan.learning, models=MODELS) as lab:
        logged = await _learned(lab, list(islice(tasks, plan.learned)))
    known = {row.task.group for row in logged}
    took = {"learning": time.perf_counter() - began}
    began = time.perf_counter()
    gate = retrained(folder, lab.config_path, seed, told)
    took["training"] = time.perf_counter() - began
    began = time.perf_counter()
    others = (task for task in tasks if task.group not in known)
    async with laboratory(folder, exploration=0.0, settings=plan.serving, models=MODELS) as lab:
        judged = await _judged(lab, others, plan, random.Random(seed))
    took["judging"] = time.perf_counter() - began
    return Life(lab.candidates, logged, judged, gate, took)


def home(folder: Path) -> dict[str, str]:
    """The environment in which everything that is learned lies in this folder."""
    return {
        "TURNOUT_MODELS": str(folder / "models"),
        "TURNOUT_STATE": str(folder),
        "MLFLOW_TRACKING_URI": "",
    }


def distinct(seed: int) -> Iterator[Task]:
    """Held-out tasks, no prompt twice."""
    seen: set[str] = set()
    for task in stream(seed):
        if task.prompt not in seen:
            seen.add(task.prompt)
            yield task


async def _learned(lab: Laboratory, tasks: Sequence[Task]) -> list[Logged]:
    """Live requests, some at once, each judged and fed back."""
    rows: list[Logged] = []
    waiting = iter(tasks)
    async with HybridClient.from_config(lab.config_path, settings=lab.settings, state=lab.folder, live=False) as client:

        async def work() -> None:
            for task in waiting:
                done, reply = await _asked(client, task)
                await client.feedback(done.id, "good" if reply.right else "bad")
                rows.append(Logged(task, done.candidate, reply))
                if not len(rows) % SAY_EVERY:
                    say(f"  {len(rows):,} requests to learn from")

        await _warmed(client, lab)
        await asyncio.gather(*(work() for _ in range(AT_ONCE)))
    return rows


async def _judged(lab: Laboratory, tasks: Iterator[Task], plan: Plan, chance: random.Random) -> list[Judged]:
    """Each prompt goes to whom it is routed to, and out of band to everybody else, in an order drawn for each."""
    beside = (*lab.settings, "history.enabled=false")
    async with (
        HybridClient.from_config(lab.config_path, settings=lab.settings, state=lab.folder, live=False) as client,
        HybridClient.from_config(lab.config_path, settings=beside, state=lab.folder / "beside", live=False) as other,
    ):
        for one in (client, other):
            await _warmed(one, lab)
        return [await _all_asked(client, other, next(tasks), lab, plan, chance) for _ in range(plan.judged)]


async def _all_asked(
    client: HybridClient, other: HybridClient, task: Task, lab: Laboratory, plan: Plan, chance: random.Random
) -> Judged:
    decisions = {one: client.route(task.prompt, preference=one, sampling=GREEDY) for one in plan.curve}
    usual = client.route(task.prompt, sampling=GREEDY)
    replies: dict[str, Reply] = {}
    chosen = usual.candidate
    for candidate in chance.sample(lab.candidates, len(lab.candidates)):
        # Speeds go on being measured: of two that are worth the same the other may be chosen by now.
        if candidate == usual.candidate:
            done, reply = await _asked(client, task)
            await client.feedback(done.id, "good" if reply.right else "bad")
            chosen, replies[done.candidate] = done.candidate, reply
        if candidate not in replies:
            _, replies[candidate] = await _asked(other, task, candidate)
    return Judged(
        task,
        chosen,
        replies,
        {entry.candidate: entry.p_success for entry in usual.ranking},
        {entry.candidate: entry.expected_s for entry in usual.ranking},
        {one: decision.candidate for one, decision in decisions.items()},
    )


async def _asked(client: HybridClient, task: Task, candidate: str = "") -> tuple[Completion, Reply]:
    began = time.perf_counter()
    done = await client.complete(task.prompt, sampling=GREEDY, **({"candidate": candidate} if candidate else {}))
    total_s = time.perf_counter() - began
    tried = done.tried[-1]
    logprobs = tuple(token.logprob for token in done.answer.logprobs)
    signals = {name: value for name, value in (tried.signals or {}).items() if value is not None}
    engine_s = sum(attempt.total_s for attempt in tried.attempts)
    return done, Reply(float(judge(task, done.text)), total_s, engine_s, logprobs, signals)


async def _warmed(client: HybridClient, lab: Laboratory) -> None:
    for candidate in lab.candidates:
        for prompt in WARM_UP:
            await client.complete(prompt, candidate=candidate, sampling=GREEDY)


def retrained(folder: Path, config: Path, seed: int, told: dict[str, str]) -> dict[str, Any]:
    """Run `turnout retrain`; where its gate cannot tell, put the challenger in the champion's place all the same."""
    history = f"sqlite:///{folder.absolute() / 'history.db'}"
    found: dict[str, Any] = _turnout(
        told, "retrain", "--history", history, "--config", str(config), "--seed", str(seed)
    )
    if not found["promoted"]:
        _turnout(told, "promote", "challenger")
    return found


def _turnout(told: dict[str, str], *arguments: str) -> Any:
    command = [sys.executable, "-m", "turnout.cli.main", *arguments, "--json"]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, **told}, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"turnout {arguments[0]} failed ({done.returncode}): {done.stderr[-2000:]}")
    return json.loads(done.stdout)
