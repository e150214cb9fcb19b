"""Makes processes to be killed: forked from one that has imported everything, so that hundreds take seconds.

    python benchmarks/kills_nursery.py logging|promoting FOLDER

Each line on standard input makes one. It works until it is killed, and tells what it does, a line at a time: what was
acknowledged, or the stage it enters. Between them comes "child PID" and, when it has gone, "gone".
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

Work = Callable[[Path], NoReturn]


def tell(text: str) -> None:
    """One line to whoever kills; a pipe takes it whole."""
    os.write(1, f"{text}\n".encode())


def logging(folder: Path) -> NoReturn:
    """Record for ever, and tell each id that was acknowledged."""
    from turnout.history import DecisionRecord, FeedbackRecord, History, JournalLimits

    limits = JournalLimits(segment_bytes=20_000)
    history = History(f"sqlite:///{folder}/history.db", folder=folder / "state", interval_s=0.002, limits=limits).open()
    while True:
        made = DecisionRecord(candidate="local/small", confidence=0.5, prompt="x" * 300)
        for record in (made, FeedbackRecord(decision_id=made.id, kind="good")):
            if history.record(record):
                tell(record.id)


def promoting(_: Path) -> NoReturn:
    """Promote the two versions in turn for ever, and tell each stage as it begins."""
    from turnout_pipelines import promote, tracking

    _told(promote, "load", "checking")
    _told(promote, "save", "writing the champion")
    _told(tracking, "crown", "moving the alias")
    client = tracking.start()
    while True:
        for version in ("1", "2"):
            tell("fetching")
            promote.run(version=version, client=client)
            tell("promoted")


def registering(folder: Path) -> None:
    """Two small predictors as versions 1 and 2; the first is the champion."""
    from turnout_pipelines import promote, tracking

    from turnout.predictor import load

    client = tracking.start()
    for name in ("one", "two"):
        with tracking.run(name, {}) as run_id:
            tracking.log_predictor(load(folder / name))
        tracking.register(client, run_id)
    promote.run(version="1", client=client)


def _told(module: Any, name: str, stage: str) -> None:
    real = getattr(module, name)

    def wrapped(*arguments: Any, **options: Any) -> Any:
        tell(stage)
        return real(*arguments, **options)

    setattr(module, name, wrapped)


def warm(kind: str, folder: Path) -> Work:
    """Load all that the children need, and leave nothing open: connections do not survive a fork."""
    import turnout.history.drainer  # noqa: F401

    if kind == "logging":
        return logging
    from sqlalchemy import Engine

    registering(folder)
    for found in gc.get_objects():
        if isinstance(found, Engine):
            found.dispose()
    tell("ready")
    return promoting


def born(work: Callable[[Path], Any], folder: Path) -> int:
    """A child that works; whatever it raises is told in one line."""
    child = os.fork()
    if child:
        return child
    try:
        work(folder)
    except BaseException as error:
        tell(f"failed {type(error).__name__}: {' '.join(str(error).split())}")
        os._exit(1)
    os._exit(0)


def main() -> None:
    kind, folder = sys.argv[1], Path(sys.argv[2])
    work = warm(kind, folder)
    while sys.stdin.readline():
        child = born(work, folder)
        tell(f"child {child}")
        os.waitpid(child, 0)
        tell("gone")


if __name__ == "__main__":
    main()
