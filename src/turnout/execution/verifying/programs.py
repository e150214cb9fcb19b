"""Programs that judge an answer by their exit code, run so that none can hurt: no shell, no secrets, no end beyond its time.

A program that leaves its process group on purpose (setsid) escapes the kill; verifiers are configured by whoever runs
Turnout, and are trusted so far.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final

PASSED_ON: Final = frozenset(
    ("PATH", "HOME", "USER", "LANG", "LANGUAGE", "TZ", "TMPDIR", "TEMP", "TMP", "SYSTEMROOT", "PATHEXT", "COMSPEC")
)
"""What of the environment a program gets, beside LC_*. Providers' keys stand in variables of any name, so the rest stays."""

GOOD: Final = 0
BAD: Final = 1


class NoVerdictError(Exception):
    """The program did not judge; the message says why, without a word of prompt or answer."""


def environment(own: Mapping[str, str]) -> dict[str, str]:
    """The environment of a program, out of this process's."""
    return {name: value for name, value in own.items() if name.upper() in PASSED_ON or name.startswith("LC_")}


def material(prompt: str, answer: str, candidate: str, task: str) -> bytes:
    """What a program reads from its standard input: one JSON object in ASCII, and its end."""
    return (
        json.dumps({"prompt": prompt, "answer": answer, "candidate": candidate, "task": task}).encode("ascii") + b"\n"
    )


async def run_program(command: Sequence[str], given: bytes, timeout_s: float) -> bool:
    """Whether a program finds the answer good. Its output is thrown away, and whatever it started ends with it.

    Raises:
        NoVerdictError: it cannot be started, took too long, or exited with another code.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=PIPE,
            stdout=DEVNULL,
            stderr=DEVNULL,
            env=environment(os.environ),
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        raise NoVerdictError(f"it cannot be started ({getattr(error, 'strerror', None) or error})") from None
    try:
        async with asyncio.timeout(timeout_s):
            await process.communicate(given)
    except TimeoutError:
        raise NoVerdictError(f"it took longer than {timeout_s:g} s and was killed") from None
    finally:
        await _end(process)
    if process.returncode not in (GOOD, BAD):
        raise NoVerdictError(f"it exited with {process.returncode}")
    return process.returncode == GOOD


async def _end(process: Process) -> None:
    """Kill what is left of the program's process group, itself included, and wait until it is gone."""
    with suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    # The pipe of a program that read nothing is closed with it.
    await asyncio.shield(process.wait())
