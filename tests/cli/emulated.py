"""A pretended provider beside the command under test, and a terminal that a person sits at."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from turnout.emulators.faults import Fault, FaultName
from turnout.emulators.server import Emulator, EmulatorOptions, serving

SMALL, LARGE = "ollama/llama3.1:8b", "ollama/qwen2.5-coder:32b"


@contextmanager
def emulating(kind: str = "ollama", **options: Any) -> Iterator[tuple[str, Emulator]]:
    """An emulator in a thread of its own: where it listens, and itself to look into."""
    emulator: Emulator = import_module(f"turnout.emulators.{kind}").make(EmulatorOptions(**options))
    loop = asyncio.new_event_loop()
    listening: asyncio.Future[str] = loop.create_future()
    ended = asyncio.Event()

    async def serve() -> None:
        async with serving(emulator) as url:
            listening.set_result(url)
            await ended.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    try:
        yield asyncio.run_coroutine_threadsafe(_value(listening), loop).result(10), emulator
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(10)
        loop.close()


async def _value(future: asyncio.Future[str]) -> str:
    return await future


def configure(path: Path, *, history: bool = True, **providers: str) -> Path:
    """A configuration file with these providers, by name and address; the kind is the name's."""
    content = {
        "providers": {name: {"base_url": url} for name, url in providers.items()},
        "resources": {"memory": {"reserve_mb": 0, "max_percent": 100}},
        "history": {"enabled": history, "url": f"sqlite:///{path.parent / 'state' / 'history.db'}"},
        "gateway": {"port": 0},
        "hybrid": {"exploration": {"enabled": False}},
        "voices": {"explorer": {"system_prompt": "You explore."}},
        "ensembles": {"council": {"kind": "best_of", "answers": 2, "description": "Two answers, the better one."}},
    }
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def switch_on(emulator: Emulator, name: str, count: int | None = None) -> None:
    """A fault of the answers to come, or of so many of them."""
    emulator.switch_on(Fault(FaultName(name), path="/api/chat", count=count))


# The command gets the terminal as its own, so that Ctrl-C reaches it as it does from a keyboard.
_TAKE_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""


class Terminal:
    """`turnout ARGUMENTS…` at a terminal of so many columns. Used as a context manager."""

    def __init__(self, *arguments: object, columns: int = 100, **environment: str) -> None:
        self._end, inner = pty.openpty()
        fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        command = [sys.executable, "-c", _TAKE_TERMINAL, "-m", "turnout.cli.main", *map(str, arguments)]
        self.process = subprocess.Popen(
            command,
            stdin=inner,
            stdout=inner,
            stderr=inner,
            start_new_session=True,
            env={key: value for key, value in os.environ.items() if key not in ("COLUMNS", "LINES")}
            | {"TERM": "xterm", **environment},
        )
        os.close(inner)
        self.shown = ""
        self._seen = 0

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._end)

    def until(self, text: str, *, pressing: str = "", within_s: float = 60.0) -> None:
        """Read until the text is shown, behind what was waited for before; press keys every second until then."""
        now_s = press_s = time.monotonic()
        ends_s = now_s + within_s
        while (found := self.shown.find(text, self._seen)) < 0:
            assert now_s < ends_s, f"{text!r} is not shown: {self.shown[self._seen :]!r}"
            if pressing and now_s >= press_s:
                self.type(pressing)
                press_s = now_s + 1
            if not self._read():
                raise AssertionError(f"it ended without {text!r}: {self.shown[self._seen :]!r}")
            now_s = time.monotonic()
        self._seen = found + len(text)

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self._end, text.encode())

    def end(self, within_s: float = 60.0) -> int:
        """Wait for the end; the exit code."""
        ends_s = time.monotonic() + within_s
        while self._read():
            assert time.monotonic() < ends_s, f"it goes on: {self.shown!r}"
        return self.process.wait(10)

    @property
    def text(self) -> str:
        """What was shown, without what moves the cursor or changes colours."""
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.shown).replace("\r", "")

    def _read(self) -> bool:
        if select.select([self._end], [], [], 0.1)[0]:
            try:
                content = os.read(self._end, 65_536)
            except OSError:  # nobody holds the other end any more
                return False
            self.shown += content.decode(errors="replace")
            return bool(content)
        return True
