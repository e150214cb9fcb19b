"""Several gateway processes behind one address: started together, replaced when one dies, stopped together."""

from __future__ import annotations

import logging
import multiprocessing
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Final

from turnout.config.gateway import Gateway
from turnout.config.loader import load
from turnout.gateway.logs import LogFormat, set_up_logs
from turnout.gateway.server import bound, run, serve

logger = logging.getLogger(__name__)

_RESTARTS_S: Final = (0.1, 0.5, 2.0, 10.0)
"""Pauses before a worker that died at once is started again, the last one for ever."""

_LIVED_S: Final = 30.0
_GRACE_S: Final = 5.0


def serve_all(
    path: Path | None,
    *,
    profile: str | None,
    settings: Sequence[str],
    logs: LogFormat,
    log_requests: bool = True,
    on_ready: Callable[[Gateway], Any],
) -> None:
    """Serve with as many processes as are configured, until a signal comes.

    Raises:
        ConfigurationError: the configuration cannot be used, or its address.
        ArtifactError: the predictor cannot be served.
    """
    gateway = load(path, profile=profile, settings=settings).configuration.gateway
    set_up_logs(logs, requests=log_requests)
    if gateway.workers == 1:
        run(serve(path, profile=profile, settings=settings, on_ready=on_ready))
        return
    with bound(gateway) as listening:
        listening.set_inheritable(True)
        pool = _Pool(gateway, (path, profile, tuple(settings), logs, log_requests, listening))
        pool.run(on_ready)


class _Pool:
    """The workers of one address."""

    def __init__(self, gateway: Gateway, told: tuple[Any, ...]) -> None:
        self._gateway = gateway
        self._told = told
        self._context = multiprocessing.get_context("spawn")
        self._stop = threading.Event()
        self._workers: list[tuple[BaseProcess, float]] = []
        self._deaths = 0

    def run(self, on_ready: Callable[[Gateway], Any]) -> None:
        """Keep all of them alive until a signal comes."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stop.set())
        self._workers = [self._started() for _ in range(self._gateway.workers)]
        on_ready(self._gateway)
        try:
            while not self._stop.wait(0.2):
                self._replace_dead()
        finally:
            for worker, _ in self._workers:
                worker.terminate()
            end_s = time.monotonic() + self._gateway.drain_s + _GRACE_S
            for worker, _ in self._workers:
                worker.join(max(0.0, end_s - time.monotonic()))
                if worker.is_alive():
                    logger.error("worker %s does not end and is killed", worker.pid)
                    worker.kill()

    def _started(self) -> tuple[BaseProcess, float]:
        worker = self._context.Process(target=_work, args=self._told, name="turnout-gateway")
        worker.start()
        return worker, time.monotonic()

    def _replace_dead(self) -> None:
        for at, (worker, started_s) in enumerate(self._workers):
            if worker.is_alive():
                continue
            lived_s = time.monotonic() - started_s
            self._deaths = 0 if lived_s >= _LIVED_S else self._deaths + 1
            pause_s = 0.0 if not self._deaths else _RESTARTS_S[min(self._deaths, len(_RESTARTS_S)) - 1]
            logger.error("worker %s died (exit code %s) and is replaced", worker.pid, worker.exitcode)
            if self._stop.wait(pause_s):
                return
            self._workers[at] = self._started()


def _work(
    path: Path | None,
    profile: str | None,
    settings: tuple[str, ...],
    logs: LogFormat,
    log_requests: bool,
    listening: socket.socket,
) -> None:
    """One worker, in a process of its own. It ends with the one that started it."""
    set_up_logs(logs, requests=log_requests)
    try:
        run(serve(path, profile=profile, settings=settings, listening=listening))
    except Exception:
        logger.exception("a worker could not go on")
        sys.exit(1)
