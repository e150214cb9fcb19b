"""One seed of the laboratory's benchmark: live requests, the real retraining job from each start, then judged requests."""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd
from common import ROOT, say
from lab_rows import SHIPPED, STARTS, Judged, Life, Logged, Plan, Reply

from turnout import HybridClient
from turnout.lab import Task, judge
from turnout.lab.engine import MOST_TOKENS
from turnout.lab.laboratory import Laboratory, laboratory
from turnout.lab.world import stream
from turnout.types import Completion, Sampling, Tried

GREEDY = Sampling(temperature=0.0, logprobs=True, max_tokens=MOST_TOKENS)
WARM_UP = ("Reverse ab.", "Uppercase ab.", "Sort ba.")
AT_ONCE = 2
"""Requests under way while the history grows, on two cores; while requests are judged there is one."""

SAY_EVERY = 1000
MODELS = ROOT / "models" / "lab"
TABLE = ROOT / "data" / "lab" / "outcomes.parquet"


async def live(folder: Path, seed: int, plan: Plan) -> dict[str, Life]:
    """Learn, and be judged from each start on the same prompts, in an empty folder."""
    began = time.perf_counter()
    grown = folder / "grown"
    grown.mkdir()
    os.environ.update(home(grown))
    tasks = distinct(seed)
    async with laboratory(grown, exploration=plan.exploration, settings=plan.learning, models=MODELS) as lab:
        logged = await _learned(lab, list(islice(tasks, plan.learned)))
    known = {row.task.group for row in logged} | set(pd.read_parquet(TABLE, columns=["group"])["group"])
    others = list(islice((task for task in tasks if task.group not in known), plan.judged))
    took = time.perf_counter() - began
    return {start: await _served(start, grown, seed, logged, others, plan, took) for start in STARTS}


async def _served(
    start: str, grown: Path, seed: int, logged: list[Logged], others: Sequence[Task], plan: Plan, took: float
) -> Life:
    """Retrain on a copy of what has grown, then be judged there."""
    began = time.perf_counter()
    folder = Path(shutil.copytree(grown, grown.parent / start.replace(" ", "-")))
    told = home(folder)
    os.environ.update(told)
    gate = retrained(folder, grown / "laboratory.yaml", seed, told, [TABLE] if start == SHIPPED else [])
    trained = time.perf_counter()
    async with laboratory(folder, exploration=0.0, settings=plan.serving(start), models=MODELS) as lab:
        judged = await _judged(lab, others, plan, random.Random(seed))
    seconds = {"learning": took, "training": trained - began, "judging": time.perf_counter() - trained}
    return Life(lab.candidates, logged, judged, gate, folder / "models" / "champion", seconds)


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


async def _judged(lab: Laboratory, tasks: Sequence[Task], plan: Plan, chance: random.Random) -> list[Judged]:
    """Each prompt goes to whom it is routed to, and out of band to everybody else, in an order drawn for each."""
    beside = (*lab.settings, "history.enabled=false", "routing.escalation.enabled=false")
    async with (
        HybridClient.from_config(lab.config_path, settings=lab.settings, state=lab.folder, live=False) as client,
        HybridClient.from_config(lab.config_path, settings=beside, state=lab.folder / "beside", live=False) as other,
    ):
        for one in (client, other):
            await _warmed(one, lab)
        return [await _all_asked(client, other, task, lab, plan, chance) for task in tasks]


async def _all_asked(
    client: HybridClient, other: HybridClient, task: Task, lab: Laboratory, plan: Plan, chance: random.Random
) -> Judged:
    decisions = {one: client.route(task.prompt, preference=one, sampling=GREEDY) for one in plan.curve}
    usual = client.route(task.prompt, sampling=GREEDY)
    replies: dict[str, Reply] = {}
    order = chance.sample(lab.candidates, len(lab.candidates))
    # Who takes part in an escalation has been asked: nobody is twice, where the engine's memory of the prompt would help.
    for candidate in order[: order.index(usual.candidate)]:
        _, replies[candidate] = await _asked(other, task, candidate)
    done, served = await _asked(client, task)
    await client.feedback(done.id, "good" if served.right else "bad")
    beyond_s = served.total_s - served.engine_s
    for tried in done.tried:
        replies.setdefault(tried.candidate, _reply(task, tried, beyond_s))
    for candidate in lab.candidates:
        if candidate not in replies:
            _, replies[candidate] = await _asked(other, task, candidate)
    return Judged(
        task,
        done.tried[0].candidate,
        done.candidate,
        done.escalated,
        served,
        replies,
        {entry.candidate: entry.p_success for entry in usual.ranking},
        {entry.candidate: entry.expected_s for entry in usual.ranking},
        {one: decision.candidate for one, decision in decisions.items()},
    )


async def _asked(client: HybridClient, task: Task, candidate: str = "") -> tuple[Completion, Reply]:
    """The completion, and what the caller got: its answer, in all the seconds that it took."""
    began = time.perf_counter()
    done = await client.complete(task.prompt, sampling=GREEDY, **({"candidate": candidate} if candidate else {}))
    total_s = time.perf_counter() - began
    answered = next(tried for tried in done.tried if tried.answer is done.answer)
    engine_s = sum(attempt.total_s for tried in done.tried for attempt in tried.attempts)
    own = _reply(task, answered, 0.0)
    return done, replace(own, total_s=total_s, engine_s=engine_s)


def _reply(task: Task, tried: Tried, beyond_s: float) -> Reply:
    """What one of those who were tried said. `beyond_s` are seconds of a call that no engine took."""
    assert tried.answer is not None, "nothing fails here"
    engine_s = sum(attempt.total_s for attempt in tried.attempts)
    logprobs = tuple(token.logprob for token in tried.answer.logprobs)
    signals = {name: value for name, value in (tried.signals or {}).items() if value is not None}
    return Reply(float(judge(task, tried.answer.text)), engine_s + beyond_s, engine_s, logprobs, signals)


async def _warmed(client: HybridClient, lab: Laboratory) -> None:
    for candidate in lab.candidates:
        for prompt in WARM_UP:
            await client.complete(prompt, candidate=candidate, sampling=GREEDY)


def retrained(
    folder: Path, config: Path, seed: int, told: dict[str, str], outcomes: Sequence[Path] = ()
) -> dict[str, Any]:
    """Run `turnout retrain`; where its gate cannot tell, put the challenger in the champion's place all the same."""
    history = f"sqlite:///{folder.absolute() / 'history.db'}"
    beside = ["--outcomes", *map(str, outcomes)] if outcomes else []
    found: dict[str, Any] = _turnout(
        told, "retrain", "--history", history, "--config", str(config), "--seed", str(seed), *beside
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
