"""What can be seen of an answer right after an attempt, without asking anybody: the signals of its confidence.

All of it is reading: no I/O, nothing is run, and of a long answer the head and the tail are read. Prose takes 25 to 50
microseconds however long, Python of a page .2 milliseconds, 20 kB of code up to 2, the most hostile known 10.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from turnout.execution.judging.code import broken_share
from turnout.execution.judging.expectations import code_missing, instruction, off_length
from turnout.execution.judging.fences import Fence, find_fences, outside
from turnout.execution.judging.prose import echoes, loops, unfinished
from turnout.execution.judging.refusals import is_refusal
from turnout.execution.judging.scripts import off_script
from turnout.execution.judging.structured import calls_broken, format_problems
from turnout.types import Answer, Request, TokenLogprob

HEAD_CHARS: Final = 40_000
"""Of an answer's text; endings are read besides, JSON that was asked for is read whole."""

FEW_TOKENS: Final = 16
"""Who allows an answer no more tokens than this wants a word or a label and takes the cut."""

MAX_LOGPROBS: Final = 1_000
"""Tokens whose log-probabilities are read, half from each end of the text's."""

MAX_TOKENS: Final = 16_000
"""Tokens that are gone through, from the end, to tell the text's from those of reasoning."""

LOWEST_LOGPROB: Final = -20.0
"""Servers write -9999 or minus infinity for what they did not count."""

LOW_LOGPROB: Final = math.log(0.3)

_INVISIBLE: Final = "\u200b\u200c\u200d\u2060\ufeff"
_SPECIAL: Final = re.compile(r"(?:(?:<\|[\w ]{1,40}\|>|</?s>|<(?:eos|pad|unk|end_of_turn|EOT)>)\s*)+")


class Signals(NamedTuple):
    """What was seen of one answer; true or high is trouble but for log-probabilities and agreement. None: does not apply.

    The end: `cut` by the length limit, `filtered` by the provider, `empty` without text or a call (reasoning alone is
    empty), `unfinished` though it was told to be complete. The words: `refusal`, `loop` (it ends in the same words again
    and again), `echo` of the prompt, `off_length` and `off_script` against what was asked. The structure:
    `format_broken` and `format_wrapped` (the JSON asked for stands in a fence or in prose), `calls_broken`,
    `code_missing`, `code_broken` (share of the checked fences that do not parse), `fence_open`. The candidate's own doubt
    over the tokens of the text: `logprob_mean` and `logprob_p10` (10th percentile) in nats, `logprob_low` (share under
    ln .3). `agreement` with other answers from 0 to 1.
    """

    cut: bool = False
    filtered: bool = False
    empty: bool = False
    unfinished: bool | None = None
    refusal: bool | None = None
    loop: bool | None = None
    echo: bool | None = None
    off_length: bool | None = None
    off_script: bool | None = None
    format_broken: bool | None = None
    format_wrapped: bool | None = None
    calls_broken: bool | None = None
    code_missing: bool | None = None
    code_broken: float | None = None
    fence_open: bool | None = None
    logprob_mean: float | None = None
    logprob_p10: float | None = None
    logprob_low: float | None = None
    agreement: float | None = None

    def to_json(self) -> dict[str, float | bool]:
        """The signals that apply, by name, as the history keeps them."""
        return {name: value for name, value in zip(self._fields, self, strict=True) if value is not None}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Signals:
        """Signals out of the history. Unknown names are left out, missing and unusable values do not apply."""
        known = {name: stored[name] for name in cls._fields if isinstance(stored.get(name), bool | int | float)}
        return cls(**{name: value for name, value in known.items() if math.isfinite(value)})

    @property
    def ended(self) -> bool:
        """Whether the answer came to its own end."""
        return not (self.cut or self.filtered or self.unfinished)

    def row(self) -> list[float]:
        """What the confidence model weighs, in the order of `SIGNAL_NAMES`: 0 where a signal does not apply."""
        return [value or 0.0 for value in self] + [self[place] is not None for place in _FLAGGED_PLACES]

    def vector(self) -> NDArray[np.float64]:
        """The row as an array, float64 of shape (len(SIGNAL_NAMES),)."""
        return np.array(self.row(), np.float64)


_FLAGGED: Final = (
    *("off_length", "off_script", "format_broken", "calls_broken"),
    *("code_missing", "code_broken", "logprob_mean", "agreement"),
)
_FLAGGED_PLACES: Final = tuple(map(Signals._fields.index, _FLAGGED))
SIGNAL_NAMES: Final = (*Signals._fields, *(f"{name}_known" for name in _FLAGGED))
"""The order of `Signals.row`: every signal as `Signals` lists them, then 1 or 0 for whether one applies, where that
says something (JSON was asked for and came, or it was not asked for)."""


def read_signals(request: Request, answer: Answer, *, agreement: float | None = None) -> Signals:
    """Everything that is to be seen of an answer to a request. Never raises, whatever the answer.

    Args:
        request: what was asked.
        answer: what came, its end proven.
        agreement: how far other answers to the same request agree with it, from 0 to 1, where somebody compared.
    """
    text = answer.text
    most = request.sampling.max_tokens
    cut = answer.finish == "length" and (most is None or most > FEW_TOKENS)
    filtered = answer.finish == "content_filter"
    agreed = None if agreement is None or math.isnan(agreement) else min(1.0, max(0.0, agreement))
    broken_calls = calls_broken(request, answer)
    if _is_blank(text):
        return Signals(
            cut=cut,
            filtered=filtered,
            empty=not answer.tool_calls,
            calls_broken=broken_calls,
            format_broken=True if request.answer_format is not None and not answer.tool_calls else None,
            agreement=agreed,
        )
    prompt = request.prompt
    asked = instruction(prompt)
    head = text[:HEAD_CHARS]
    fences = find_fences(head)
    format_broken, format_wrapped = format_problems(request, answer)
    mean, low_end, low = _doubts(answer)
    plain = request.answer_format is None and not answer.tool_calls
    free_end = not cut and not request.sampling.stop
    return Signals(
        cut=cut,
        filtered=filtered,
        unfinished=unfinished(text) if plain and free_end and not (fences and fences[-1].end == len(text)) else None,
        refusal=not answer.tool_calls and format_broken is not False and is_refusal(text, prompt),
        loop=loops(text, asked),
        echo=echoes(text, prompt),
        off_length=off_length(asked, text) if plain else None,
        off_script=off_script(request, asked, outside(head, fences)) if plain else None,
        format_broken=format_broken,
        format_wrapped=format_wrapped,
        calls_broken=broken_calls,
        code_missing=code_missing(asked, text, fences) if plain else None,
        code_broken=broken_share(fences) if fences else None,
        fence_open=_is_open(fences) if fences and not request.sampling.stop and len(text) <= HEAD_CHARS else None,
        logprob_mean=mean,
        logprob_p10=low_end,
        logprob_low=low,
        agreement=agreed,
    )


def _is_blank(text: str) -> bool:
    """Whether nothing is to be read: blanks, invisible characters, special tokens that a server let through."""
    start = text[:200].strip().strip(_INVISIBLE).strip()
    if len(text) > 200:
        return not start and not text.strip().strip(_INVISIBLE).strip()
    return not start or _SPECIAL.fullmatch(start) is not None


def _is_open(fences: Sequence[Fence]) -> bool | None:
    """Whether the last fence has no end; unknown in Markdown about Markdown, whose fences pair in more ways than one."""
    if any(fence.label in ("markdown", "md") for fence in fences):
        return None
    return not fences[-1].closed


def _doubts(answer: Answer) -> tuple[float, float, float] | tuple[None, None, None]:
    """Mean and 10th percentile of the log-probabilities of the text's tokens, and the share of low ones."""
    tokens = answer.logprobs
    if answer.reasoning and tokens:
        tokens = tokens[-_text_tokens(tokens, answer.text) :]
    if len(tokens) > MAX_LOGPROBS:
        tokens = (*tokens[: MAX_LOGPROBS // 2], *tokens[-MAX_LOGPROBS // 2 :])
    values = sorted([token.logprob for token in tokens if token.logprob == token.logprob])
    if not values:
        return None, None, None
    if values[0] < LOWEST_LOGPROB or values[-1] > 0.0:
        values = [max(LOWEST_LOGPROB, min(0.0, value)) for value in values]
    tenth = min(0.0, values[len(values) // 10])  # a zero may come as 0 or -0.0
    return sum(values) / len(values), tenth, bisect_left(values, LOW_LOGPROB) / len(values)


def _text_tokens(logprobs: Sequence[TokenLogprob], text: str) -> int:
    """How many tokens at the end make up the text: those of reasoning come before it."""
    left = len(text)
    for count, token in enumerate(reversed(logprobs), 1):
        left -= len(token.token)
        if left <= 0 or count >= MAX_TOKENS:
            return count
    return len(logprobs)
