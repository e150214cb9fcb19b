"""`turnout lab`: real language models, small enough for any laptop, with the gateway in front; and traffic for them."""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from turnout.cli import exits
from turnout.cli.arguments import number, whole_number
from turnout.cli.terminal import console

if TYPE_CHECKING:
    from turnout.config.gateway import Gateway
    from turnout.lab.laboratory import Laboratory
    from turnout.lab.traffic import Reply

_GATEWAY: Final = "http://127.0.0.1:8787"
_NOBODY: Final = "nobody answered"


def add_command(commands: Any, shared: argparse.ArgumentParser) -> None:
    """Register `lab` with what it can do."""
    parser = commands.add_parser("lab", help="try everything on small language models that really run")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")

    up = actions.add_parser("up", parents=[shared], help="run them, the gateway and its page until Ctrl-C")
    up.add_argument("--port", type=_port, metavar="N", help="of the gateway, instead of 8787; 0 takes a free one")
    up.add_argument("--folder", type=Path, metavar="DIR", help="for configuration and history, instead of state/lab")
    up.add_argument(
        "--explore", type=number(0, 1), default=0.05, metavar="X", help="share of requests that try another candidate"
    )
    up.set_defaults(run=_up, failed=exits.failed)

    run = actions.add_parser("run", parents=[shared], help="send tasks, judge the answers, feed the verdicts back")
    run.add_argument("--requests", type=whole_number(1), default=200, metavar="N", help="how many tasks")
    run.add_argument("--seed", type=whole_number(0), default=0, metavar="S", help="which tasks")
    run.add_argument("--gateway", default=_GATEWAY, metavar="URL", help=f"where it listens, instead of {_GATEWAY}")
    run.set_defaults(run=_run, failed=exits.failed)


def _up(options: argparse.Namespace) -> int:
    """Serve until a signal comes; everything that is measured stays in the laboratory's folder."""
    from turnout.config.paths import models_folder, state_folder
    from turnout.gateway.logs import set_up_logs
    from turnout.lab.running_all import run_all

    folder = (options.folder or state_folder() / "lab").absolute()
    shipped = models_folder() / "lab"
    # The laboratory learns by itself: its champion is not the user's.
    os.environ |= {"TURNOUT_STATE": str(folder), "TURNOUT_MODELS": str(folder / "models")}
    set_up_logs("text", logging.WARNING, requests=False)

    def ready(lab: Laboratory, gateway: Gateway) -> None:
        url = f"http://127.0.0.1:{gateway.port}"
        if options.json:
            told = {bench.name: bench.base_url for bench in lab.benches}
            print(json.dumps({"gateway": url, "folder": str(folder), "candidates": told}), flush=True)
        print(_greeting(lab, url), file=sys.stderr, flush=True)

    run_all(folder, models=shipped, port=options.port, exploration=options.explore, on_ready=ready)
    return exits.ANSWERED


def _greeting(lab: Laboratory, url: str) -> str:
    from turnout.config.paths import models_folder

    question = '{"model": "auto", "temperature": 0, "messages": [{"role": "user", "content": "Remove the vowels from lantern."}]}'
    width = max(map(len, lab.candidates))
    elsewhere = "" if url == _GATEWAY else f" --gateway {url}"
    return "\n".join(
        [
            "the laboratory runs, each language model on one thread:",
            *(f"  {bench.name:{width}}  {bench.base_url}" for bench in lab.benches),
            f"the gateway:   {url}/v1",
            f"the dashboard: {url}/",
            f"its folder:    {lab.folder}",
            "try, in another terminal:",
            f"  curl -i {url}/v1/chat/completions -H 'Content-Type: application/json' -d '{question}'",
            f"  turnout lab run --requests 200{elsewhere}",
            "learn from what was answered (the gateway takes the new champion at once):",
            f"  TURNOUT_MODELS={models_folder()} turnout retrain --config {lab.config_path}",
            "stop with Ctrl-C",
        ]
    )


def _run(options: argparse.Namespace) -> int:
    from turnout.lab.traffic import tallies, tally

    replies = _sent(options)
    if options.json:
        by_candidate = {name or _NOBODY: asdict(each) for name, each in tallies(replies).items()}
        print(json.dumps({"candidates": by_candidate, "total": asdict(tally(replies))}))
    else:
        _show(replies)
    return exits.ANSWERED


def _sent(options: argparse.Namespace) -> list[Reply]:
    """The replies to all tasks, with a bar on a terminal."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from turnout.lab import generate
    from turnout.lab.traffic import traffic

    tasks = generate(options.requests, options.seed)
    screen = console(stderr=True)
    columns = (TextColumn("asking"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal) as progress:
        return list(progress.track(traffic(options.gateway.rstrip("/"), tasks), total=len(tasks)))


def _show(replies: Sequence[Reply]) -> None:
    from rich.table import Table

    from turnout.lab.traffic import tallies, tally

    table = Table("candidate", box=None, pad_edge=False)
    for heading in ("requests", "right", "mean seconds"):
        table.add_column(heading, justify="right")
    for name, each in (*tallies(replies).items(), ("total", tally(replies))):
        table.add_row(name or _NOBODY, str(each.requests), f"{each.right:.1%}", f"{each.seconds:.3f}")
    console().print(table)


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65_535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port from 0 to 65535")
    return int(text)
