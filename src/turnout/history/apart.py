"""Bringing records into the database in a process of its own, for whoever cannot spare the interpreter for it.

The drainer stays where it is and keeps the account; this process is told which part of which file to bring in, and
answers how far everything is committed. Both talk in lines of JSON over pipes. It ends when its input ends, so that it
never outlives the process that wants it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from turnout.errors import HistoryError, TurnoutError
from turnout.history.intake import Intake, Settle
from turnout.history.segments import read_lines
from turnout.history.store import Store


class ApartIntake(Intake):
    """Brings in files by another process; what is not in a file, or in none any more, by itself.

    Args:
        store: of the same database.
        url: its address.
    """

    def __init__(self, store: Store, url: str) -> None:
        super().__init__(store)
        self._url = url
        self._process: subprocess.Popen[bytes] | None = None

    def bring(self, path: Path, reading: BinaryIO, start: int, end: int | None, settle: Settle) -> None:
        """See `Intake.bring`.

        Raises:
            HistoryError: the database cannot be written.
            OSError: the other process has died; the next call starts another.
        """
        process = self._process = self._process or _started(self._url)
        try:
            if not self._ask(process, {"path": str(path), "start": start, "end": end}, settle):
                super().bring(path, reading, start, end, settle)
        except OSError:
            self.close()
            raise

    def close(self) -> None:
        """End the other process; what it has begun comes to its end first."""
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None and process.stdout is not None
        try:
            process.stdin.close()
            process.wait(10)
        except (OSError, subprocess.TimeoutExpired):
            process.kill()
            process.wait()
        process.stdout.close()

    def _ask(self, process: subprocess.Popen[bytes], job: dict[str, Any], settle: Settle) -> bool:
        """Hand over one job and follow it; whether the file was there."""
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(json.dumps(job).encode() + b"\n")
        process.stdin.flush()
        while line := process.stdout.readline():
            told = json.loads(line)
            if "failed" in told:
                raise HistoryError(told["failed"])
            if "gone" in told:
                return False
            self.committed += told["committed"]
            self.skipped += told["skipped"]
            if "upto" not in told:
                return True
            settle(told["upto"], told["records"])
        raise BrokenPipeError("the process that brings records into the history has died")


def _started(url: str) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-m", "turnout.history.apart"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps(url).encode() + b"\n")  # not an argument: it may hold a password
    return process


def work(jobs: BinaryIO, tell: Callable[[dict[str, Any]], None]) -> None:
    """Do jobs until there are no more.

    Args:
        jobs: the address of the database, then a job a line: `path`, `start` and `end` (None: all of it).
        tell: hears how far everything is committed, and how each job ended.
    """
    from sqlalchemy.exc import SQLAlchemyError

    from turnout.history.database import Database, told

    database = Database(json.loads(jobs.readline()))
    intake = Intake(Store(database))

    def counted(**more: int) -> None:
        tell({"committed": intake.committed, "skipped": intake.skipped, **more})
        intake.committed = intake.skipped = 0

    try:
        for line in jobs:
            job = json.loads(line)
            try:
                with Path(job["path"]).open("rb", buffering=0) as file:
                    lines = read_lines(file, job["start"], job["end"])
                    intake.take(lines, lambda upto, records: counted(upto=upto, records=records))
            except FileNotFoundError:
                tell({"gone": True})
            except (SQLAlchemyError, TurnoutError, OSError) as error:
                database.doubt()
                tell({"failed": told(error)})
            else:
                counted()
    finally:
        database.close()


def main() -> None:
    """Work for the process at the other end of standard input and output."""
    import signal

    # Whoever stops everybody at once, by Ctrl-C or a service manager, must not stop this one before its last job.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)

    def tell(news: dict[str, Any]) -> None:
        sys.stdout.write(f"{json.dumps(news)}\n")
        sys.stdout.flush()

    work(sys.stdin.buffer, tell)


if __name__ == "__main__":
    main()
