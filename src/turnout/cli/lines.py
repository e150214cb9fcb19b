"""Lines that a person types: with editing and history where the terminal can, several at once where asked for."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

QUOTES: Final = '"""'
_MOST_KEPT: Final = 1000


class Lines:
    """Reads what is typed.

    Args:
        path: where the history of lines outlives the process; a file that cannot be used is done without.
        complete: the words that may stand for a begun one, for the tab key.
    """

    def __init__(self, path: Path, complete: Callable[[str], Sequence[str]]) -> None:
        self._path = path
        self._readline = _readline() if sys.stdin.isatty() else None
        if self._readline is None:
            return
        with contextlib.suppress(OSError):
            self._readline.read_history_file(path)
        self._readline.set_history_length(_MOST_KEPT)
        self._readline.set_completer(lambda begun, at: ([*complete(begun), None])[at])
        self._readline.set_completer_delims(" \t\n")
        libedit = "libedit" in (self._readline.__doc__ or "")
        self._readline.parse_and_bind("bind ^I rl_complete" if libedit else "tab: complete")

    def read(self) -> str | None:
        """What was typed: one line, lines that end in a backslash joined, or all between triple quotes; None at the end.

        Raises:
            KeyboardInterrupt: Ctrl-C was pressed.
        """
        line = _line("> ")
        if line is None:
            return None
        if line.lstrip().startswith(QUOTES):
            return _quoted(line.lstrip().removeprefix(QUOTES))
        lines = [line]
        while lines[-1].endswith("\\"):
            lines[-1] = lines[-1][:-1]
            line = _line(". ")
            if line is None:
                break
            lines.append(line)
        return "\n".join(lines)

    def save(self) -> None:
        """Keep the history of lines for the next time, readable by nobody else."""
        if self._readline is None:
            return
        with contextlib.suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(self._path, os.O_CREAT | os.O_WRONLY, 0o600))
            self._readline.write_history_file(self._path)


def _quoted(begun: str) -> str:
    lines: list[str] = []
    line: str | None = begun
    while line is not None:
        if line.rstrip().endswith(QUOTES):
            lines.append(line.rstrip().removesuffix(QUOTES))
            break
        lines.append(line)
        line = _line(". ")
    return "\n".join(lines).strip("\n")


def _line(prompt: str) -> str | None:
    """One line; the prompt goes where it is seen and never into a pipe."""
    try:
        if sys.stdin.isatty() and sys.stdout.isatty():
            return input(prompt)
        if sys.stdin.isatty():
            print(prompt, end="", file=sys.stderr, flush=True)
        return input()
    except EOFError:
        return None


def _readline() -> Any:
    """The line editor of the standard library; None where Python was built without."""
    try:
        import readline
    except ImportError:
        return None
    return readline
