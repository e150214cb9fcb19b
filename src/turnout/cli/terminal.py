"""What is said beside a result, on standard error: dim on a terminal, plain in a pipe; and text made safe for terminals."""

from __future__ import annotations

import os
import sys
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, Final, TextIO

if TYPE_CHECKING:
    from rich.console import Console
    from rich.status import Status

_PIPE_WIDTH: Final = 200
"""Columns of a table that no terminal shows: enough that nothing is cut."""

_CONTROL: Final = {
    **{code: 0x2400 + code for code in range(0x20) if chr(code) not in "\n\t\r"},
    ord("\r"): None,
    0x7F: 0x2421,
    **dict.fromkeys(range(0x80, 0xA0), 0xFFFD),
}


def note(text: str) -> None:
    """One line on standard error."""
    print(f"\x1b[2m{text}\x1b[0m" if _is_styled(sys.stderr) else text, file=sys.stderr, flush=True)


def printable(text: str) -> str:
    """Text of a language model for a terminal: control characters, which could change what it shows, become visible."""
    return text.translate(_CONTROL)


def console(*, stderr: bool = False) -> Console:
    """A console for tables and live views: without colours where nobody wants them, wide where nobody looks."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    options: dict[str, Any] = {} if _is_terminal(stream) else {"width": _PIPE_WIDTH}
    plain = not _is_styled(stream)
    return Console(file=stream, no_color=plain, highlight=False, emoji=False, soft_wrap=False, **options)


def waiting(text: str) -> AbstractContextManager[Status | None]:
    """A spinner on standard error while the block runs; nothing where nobody sees it."""
    if not (_is_terminal(sys.stderr) and _is_terminal(sys.stdout)):
        return nullcontext()
    return console(stderr=True).status(text)


def _is_styled(stream: TextIO) -> bool:
    return _is_terminal(stream) and not os.environ.get("NO_COLOR")


def _is_terminal(stream: TextIO) -> bool:
    return stream.isatty() and os.environ.get("TERM") != "dumb"
