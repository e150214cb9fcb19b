"""An answer on its way to a terminal or a pipe: the text alone on standard output, everything else beside it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from turnout.cli.terminal import printable, waiting
from turnout.types import Completion, Progress, Tried

if TYPE_CHECKING:
    from rich.status import Status

    from turnout.execution.sync import SyncStreaming


def hand_out(streaming: SyncStreaming, expecting: str, heard: Callable[[str], None] = lambda _: None) -> Completion:
    """Print the pieces of an answer as they come; `expecting` is said until the first one, `heard` is told each.

    Raises:
        TurnoutError: whatever the stream raises; what was printed ends with its line.
        BrokenPipeError: nobody reads any more. The work upstream is stopped.
    """
    clean = printable if sys.stdout.isatty() else str
    last = "\n"
    with streaming, waiting(expecting) as spinner:
        try:
            for chunk in streaming:
                if chunk.progress is not None:
                    _show(spinner, chunk.progress)
                if chunk.text:
                    heard(chunk.text)
                    if spinner is not None:
                        spinner.stop()
                    last = clean(chunk.text) or last
                    sys.stdout.write(last)
                    sys.stdout.flush()
        finally:
            if not last.endswith("\n"):
                print(flush=True)
    return streaming.completion


def summary(completion: Completion, *, named: str = "") -> str:
    """What came of it, in one short line; the candidate is told where it is not the one that was `named` before."""
    told = [] if completion.candidate == named else [completion.candidate]
    told.append(f"{completion.total_s:.1f} s")
    if completion.usage.completion_tokens is not None:
        told.append(f"{completion.usage.completion_tokens} tokens")
    told.append(f"{completion.confidence:.0%} sure")
    if completion.cached:
        told.append(f"from the {completion.cached} cache")
    attempts = sum(len(entry.attempts) for entry in completion.tried)
    if attempts > 1:
        told.append(f"{attempts} attempts: {'; '.join(map(_told, completion.tried))}")
    if completion.answer.finish == "length":
        told.append("cut at the length limit")
    return ", ".join(told)


def to_json(completion: Completion) -> dict[str, Any]:
    """The machine-readable form of an answer."""
    usage = completion.usage
    return {
        "answer": completion.text,
        "candidate": completion.candidate,
        "confidence": round(completion.confidence, 4),
        "reason": completion.reason,
        "decision": completion.id,
        "finish": completion.answer.finish,
        "cached": completion.cached,
        "tried": [
            {
                "candidate": entry.candidate,
                "role": entry.role,
                "attempts": len(entry.attempts),
                "confidence": None if entry.confidence is None else round(entry.confidence, 4),
                "error": entry.error,
                "message": entry.message,
                "seconds": round(entry.total_s, 3),
            }
            for entry in completion.tried
        ],
        "seconds": round(completion.total_s, 3),
        "first_token_s": None if completion.first_token_s is None else round(completion.first_token_s, 3),
        "usage": {
            "prompt_tokens": usage.prompt_tokens,
            "completion_tokens": usage.completion_tokens,
            "reasoning_tokens": usage.reasoning_tokens,
            "cached_tokens": usage.cached_tokens,
        },
        "warnings": list(completion.answer.warnings),
    }


def _show(spinner: Status | None, progress: Progress) -> None:
    if spinner is not None:
        words = {"load": "loading", "prefill": "reading the prompt"}[progress.phase]
        spinner.update(words if progress.share is None else f"{words}, {progress.share:.0%}")


def _told(entry: Tried) -> str:
    if entry.error:
        return f"{entry.candidate} failed ({entry.error})"
    sure = "" if entry.confidence is None else f" {entry.confidence:.0%} sure"
    return f"{entry.candidate}{sure}"
