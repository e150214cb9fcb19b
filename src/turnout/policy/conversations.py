"""What the policy remembers of conversations: who answered, how much of it they have read, how hard it was.

A follow-up is as hard as what it follows: "commit it" after a difficult change must not fall to the smallest language
model because its two words look easy. So the chances of success of a short follow-up are mixed with those of the turn
before; the longer the new prompt, the more it stands on its own.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Final

INHERITED: Final = 0.7
"""Weight of the turn before for a follow-up of no words; falls by 1/e with each `WORDS` words."""

WORDS: Final = 15.0
"""Follow-ups such as "now do the same for the tests" have 2 to 10 words, prompts that stand alone 25 and more."""


@dataclass(frozen=True, slots=True)
class Turn:
    """The last turn of a conversation: its candidate, the chances that were believed, the tokens it has read."""

    candidate: str
    p_success: Mapping[str, float]
    tokens: int
    at_s: float


class Conversations:
    """The last turn of each conversation; the oldest are forgotten. Safe to share between threads.

    Args:
        capacity: how many are remembered.
        now: the monotonic clock.
    """

    def __init__(self, capacity: int = 10_000, now: Callable[[], float] = time.monotonic) -> None:
        self._capacity = capacity
        self._now = now
        self._turns: OrderedDict[str, Turn] = OrderedDict()
        self._lock = Lock()

    def last(self, conversation: str, forget_after_s: float = 3600.0) -> Turn | None:
        """The turn before, unless it is longer ago than that: a provider's cache does not last longer either."""
        with self._lock:
            turn = self._turns.get(conversation)
        return turn if turn is not None and self._now() - turn.at_s <= forget_after_s else None

    def note(self, conversation: str, candidate: str, p_success: Mapping[str, float], tokens: int) -> None:
        """Remember a turn. `tokens` is what the candidate has read and written in this conversation so far."""
        with self._lock:
            self._turns[conversation] = Turn(candidate, p_success, tokens, self._now())
            self._turns.move_to_end(conversation)
            while len(self._turns) > self._capacity:
                self._turns.popitem(last=False)

    def correct(self, conversation: str, candidate: str) -> None:
        """Another candidate answered in the end."""
        with self._lock:
            turn = self._turns.get(conversation)
            if turn is not None:
                self._turns[conversation] = Turn(candidate, turn.p_success, turn.tokens, turn.at_s)


def inherited(prompt: str) -> float:
    """How much of the turn before a follow-up inherits: from `INHERITED` for a word or two down to 0."""
    # Not every script puts blanks between words: six bytes stand for one where there are fewer.
    size = len(prompt) if prompt.isascii() else len(prompt.encode("utf-8", "replace"))
    words = max(len(prompt.split()), size // 12)
    return INHERITED * math.exp(-words / WORDS)
