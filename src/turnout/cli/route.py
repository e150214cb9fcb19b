"""`turnout route`: which candidate should take a prompt, for one, several, or a file of them."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from turnout.cli.look import look
from turnout.errors import DataError, RequestError
from turnout.policy import Router
from turnout.types import Decision, Hints


def add_command(commands: Any, shared: argparse.ArgumentParser) -> None:
    """Register `route`."""
    parser = commands.add_parser("route", parents=[shared], help="decide which candidate should take a prompt")
    parser.add_argument("prompts", nargs="*", metavar="PROMPT", help="one or more prompts; '-' reads standard input")
    parser.add_argument("--file", type=Path, metavar="PROMPTS.jsonl", help="objects with 'id' and 'prompt', one a line")
    parser.add_argument("--preference", help="fast, balanced, quality, or an exchange rate (default: as configured)")
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="follow the candidates and rules of a configuration"
    )
    parser.add_argument("--conversation", default="", metavar="ID", help="the prompts are turns of one conversation")
    parser.add_argument("--predictor", type=Path, metavar="FOLDER", help="another predictor than the champion")
    parser.add_argument(
        "--live", action="store_true", help="ask the configured providers first what is loaded and busy"
    )
    parser.add_argument("--explain", action="store_true", help="show every candidate and how the task was judged")
    parser.set_defaults(run=run, refuse=parser.error)


def run(options: argparse.Namespace) -> int:
    """Route what was asked for; with --file or several prompts one result a line."""
    if bool(options.prompts) == (options.file is not None):
        options.refuse("give either prompts or --file PROMPTS.jsonl")
    configuration = options.config or os.environ.get("TURNOUT_CONFIG") or None
    router = Router.load(options.predictor, configuration=configuration)
    snapshot = None
    if options.live:
        policy = router.policy
        if policy is None:
            options.refuse("--live asks configured providers; give --config FILE")
            return 2
        snapshot = look(policy.configuration)
    preference = None if options.preference is None else _preference(options.preference)
    hints = Hints(conversation=options.conversation)
    if options.file is not None:
        failed = 0
        for identifier, prompt in _read_file(options.file):
            try:
                result = to_json(router.route(prompt, preference, hints=hints, snapshot=snapshot))
            except RequestError as error:
                failed += 1
                result = {"error": str(error)}
            line = {"id": identifier, **result}
            print(json.dumps(line) if options.json else _line(line))
        if failed:
            print(f"{failed} prompts could not be routed", file=sys.stderr)
        return 1 if failed else 0
    for prompt in options.prompts:
        text = sys.stdin.read() if prompt == "-" else prompt
        decision = router.route(text, preference, hints=hints, snapshot=snapshot)
        if options.json:
            explained = {"explanation": decision.explain().to_json()} if options.explain else {}
            print(json.dumps({**to_json(decision), **explained}))
        else:
            print(_card(text, decision, explain=options.explain))
    return 0


def to_json(decision: Decision) -> dict[str, Any]:
    """The machine-readable form of a decision."""
    task = decision.task
    return {
        "candidate": decision.candidate,
        "confidence": round(decision.confidence, 4),
        "reason": decision.reason,
        "ranking": [
            {
                "candidate": entry.candidate,
                "p_success": round(entry.p_success, 4),
                "expected_s": None if entry.expected_s is None else round(entry.expected_s, 3),
                "cost_usd": entry.cost_usd,
                "utility": round(entry.utility, 4),
            }
            for entry in decision.ranking
        ],
        "task": {
            "type": task.type,
            "complexity": task.complexity,
            "complexity_score": round(task.complexity_score, 2),
            "tier": task.tier,
            "tier_score": round(task.tier_score, 4),
            "type_scores": {name: round(score, 4) for name, score in task.type_scores.items()},
        },
        "novelty": round(decision.novelty, 3),
        "out_of_depth": decision.out_of_depth,
        "rules": list(decision.rules),
        "secrets": list(decision.secrets),
        "excluded": {entry.candidate: entry.reason for entry in decision.excluded},
    }


def _preference(value: str) -> str | float:
    try:
        return float(value)
    except ValueError:
        return value


def _read_file(path: Path) -> Iterator[tuple[Any, str]]:
    try:
        lines = path.open(encoding="utf-8-sig", errors="surrogateescape")
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    with lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                entry = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise DataError(f"{path}, line {number}: not JSON: {error}") from error
            if not isinstance(entry, dict) or not isinstance(entry.get("prompt"), str):
                raise DataError(f"{path}, line {number}: expected an object with 'id' and 'prompt' (text)")
            yield entry.get("id", number), entry["prompt"]


def _line(result: dict[str, Any]) -> str:
    if "error" in result:
        return f"{result['id']}\terror\t{result['error']}"
    return f"{result['id']}\t{result['candidate']}\t{result['confidence']:.2f}\t{result['task']['type']}\t{result['task']['tier']}"


def _card(prompt: str, decision: Decision, *, explain: bool) -> str:
    shown = " ".join(prompt[:200].split())
    task = decision.task
    lines = [
        f"{shown[:76]}{'…' if len(shown) > 76 else ''}",
        f"  → {decision.candidate}  ({decision.confidence:.0%} sure of success; {task.type}, {task.complexity}, {task.tier} tier)",
        f"    {decision.reason}",
    ]
    if explain:
        lines += [f"  {line}" for line in decision.explain().text().splitlines()[2:]]
    return "\n".join(lines)
