"""Several gateway processes behind one address: started together, replaced when one dies, stopped together."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Event
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from turnout.config.gateway import Gateway
from turnout.config.loader import load
from turnout.errors import TurnoutError
from turnout.gateway.logs import LogFormat, set_up_logs
from turnout.gateway.server import bound, run, serve
from turnout.gateway.siblings import Place

logger = logging.getLogger(__name__)

_RESTARTS_S: Final = (0.0, 0.1, 0.5, 2.0, 10.0)
"""Pauses before a worker that died at once is started again, the last one for ever."""

_LIVED_S: Final = 30.0
_GRACE_S: Final = 5.0
_LOOK_S: Final = 0.2

UNABLE: Final = 78
"""How a worker ends that cannot begin: sysexits.h calls it an error of the configuration."""


class WorkersError(TurnoutError):
    """No worker could begin; its log says why."""


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
        ConfigurationError: the configuration cannot be used.
        ListeningError: its address cannot.
        ArtifactError: the predictor cannot be served.
        WorkersError: the same of several workers.
    """
    gateway = load(path, profile=profile, settings=settings).configuration.gateway
    set_up_logs(logs, requests=log_requests)
    if gateway.workers == 1:
        run(serve(path, profile=profile, settings=settings, on_ready=on_ready))
        return
    # Only this user can enter the folder in which workers speak with each other.
    with bound(gateway) as listening, TemporaryDirectory(prefix="turnout-", ignore_cleanup_errors=True) as folder:
        gateway = replace(gateway, port=listening.getsockname()[1])
        pool = _Pool(gateway, Path(folder), (path, profile, tuple(settings), logs, log_requests), listening)
        pool.run(on_ready)


class _Worker:
    """One place, and the process that has it now."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.process: BaseProcess | None = None
        self.started_s = 0.0
        self.due_s = 0.0  # when the next one begins
        self.deaths = 0  # one after the other, all of them early

    def has_ended(self) -> bool:
        """Whether there was a process and is none any more."""
        return self.process is not None and not self.process.is_alive()


class _Pool:
    """The workers of one address."""

    def __init__(self, gateway: Gateway, folder: Path, told: tuple[Any, ...], listening: socket.socket) -> None:
        self._gateway = gateway
        self._told = told
        self._listening = listening
        self._context = multiprocessing.get_context("spawn")
        self._ready = self._context.Event()
        self._workers = [_Worker(Place(folder, number, gateway.workers)) for number in range(gateway.workers)]
        self._signals = 0

    def run(self, on_ready: Callable[[Gateway], Any]) -> None:
        """Keep all of them alive until a signal comes.

        Raises:
            WorkersError: none could begin.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            # A number, because what locks would wait for ever where the signal interrupts its own waiting.
            signal.signal(number, self._count_signal)
        try:
            is_told = False
            while not self._signals:
                self._look_after()
                if not is_told and self._ready.is_set():
                    is_told = True
                    on_ready(self._gateway)
                wait([each.process.sentinel for each in self._workers if each.process is not None], _LOOK_S)
        finally:
            self._end()

    def _count_signal(self, *_: object) -> None:
        self._signals += 1

    def _look_after(self) -> None:
        """Start whoever is due, see who has died."""
        for worker in self._workers:
            now_s = time.monotonic()
            if worker.has_ended():
                assert worker.process is not None
                code = worker.process.exitcode
                if code == UNABLE and not self._ready.is_set():
                    raise WorkersError("the gateway could not begin; its log says why")
                worker.deaths = 0 if now_s - worker.started_s >= _LIVED_S else worker.deaths + 1
                worker.due_s = now_s + _RESTARTS_S[min(worker.deaths, len(_RESTARTS_S) - 1)]
                logger.error("worker %s died (exit code %s) and is replaced", worker.process.pid, code)
                worker.process = None
            if worker.process is None and now_s >= worker.due_s:
                self._start(worker)

    def _start(self, worker: _Worker) -> None:
        worker.process = self._context.Process(
            target=_work, args=(*self._told, self._listening, worker.place, self._ready), name="turnout-gateway"
        )
        worker.started_s = time.monotonic()
        # Ctrl-C reaches every process of a terminal. It is for this one alone, which tells the others once.
        with _without_interrupts():
            worker.process.start()

    def _end(self) -> None:
        """End all together; who does not within the time for it is killed. A second signal is passed on."""
        self._listening.close()  # as long as it is open anywhere, new connections would wait instead of being refused
        passed_on = 0
        end_s = time.monotonic() + self._gateway.drain_s + _GRACE_S
        while running := [
            each.process for each in self._workers if each.process is not None and each.process.is_alive()
        ]:
            if passed_on < max(1, self._signals):
                passed_on += 1
                for process in running:
                    process.terminate()
            if time.monotonic() >= end_s:
                for process in running:
                    logger.error("worker %s does not end and is killed", process.pid)
                    process.kill()
                    process.join()
            wait([process.sentinel for process in running], _LOOK_S)


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """A process that is started inside never hears of Ctrl-C."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _work(
    path: Path | None,
    profile: str | None,
    settings: tuple[str, ...],
    logs: LogFormat,
    log_requests: bool,
    listening: socket.socket,
    place: Place,
    ready: Event,
) -> None:
    """One worker, in a process of its own. It ends with the one that started it."""
    set_up_logs(logs, requests=log_requests)

    async def served() -> None:
        stop = asyncio.Event()
        _watch_parent(asyncio.get_running_loop(), stop)
        await serve(
            path,
            profile=profile,
            settings=settings,
            listening=listening,
            on_ready=lambda _: ready.set(),
            stop=stop,
            place=place,
        )

    try:
        run(served())
    except TurnoutError as error:
        logger.error("a worker could not begin: %s", error)
        sys.exit(UNABLE)
    except Exception:
        logger.exception("a worker could not go on")
        sys.exit(1)


def _watch_parent(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    """Stop when the process that started this one is gone, however it went: nobody else would end this one."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        with suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(stop.set)

    threading.Thread(target=watch, name="turnout-parent", daemon=True).start()
