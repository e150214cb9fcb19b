"""One gateway in a process of its own: `python -m tests.gateway.worker FILE [FOLDER NUMBER WORKERS]`.

It listens at any port and prints which; with a folder it is one of several workers, who can then be asked one by one.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.gateway.world import BUDGET_S


class Worker:
    """A running one; see `started`."""

    def __init__(self, process: subprocess.Popen[str], url: str) -> None:
        self.process = process
        self.url = url

    def die(self) -> None:
        """As by a power cut."""
        self.process.kill()
        self.process.wait(BUDGET_S)


@contextmanager
def started(
    file: Path, environment: Mapping[str, str], folder: Path | None = None, number: int = 0, workers: int = 2
) -> Iterator[Worker]:
    """A gateway with this configuration, until the block ends."""
    place = [] if folder is None else [str(folder), str(number), str(workers)]
    command = [sys.executable, "-m", "tests.gateway.worker", str(file), *place]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=dict(environment), cwd=Path(__file__).parents[2]
    )
    assert process.stdout is not None
    with process, process.stdout:
        try:
            port = process.stdout.readline().strip()
            assert port, "the gateway did not begin"
            yield Worker(process, f"http://127.0.0.1:{port}")
        finally:
            process.terminate()
            process.wait(3 * BUDGET_S)


def main(arguments: list[str]) -> None:
    """Serve until a signal."""
    from turnout.gateway.server import run, serve
    from turnout.gateway.siblings import Place

    file, *rest = arguments
    place = Place(Path(rest[0]), int(rest[1]), int(rest[2])) if rest else None
    ready = {"on_ready": lambda gateway: print(gateway.port, flush=True)}
    run(serve(Path(file), settings=("gateway.port=0",), place=place, **ready))


if __name__ == "__main__":
    main(sys.argv[1:])
