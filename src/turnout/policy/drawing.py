"""What is left to chance in a decision: whose predictor decides, and whether its first candidate is the one that is asked.

A challenger in the canary decides a share of requests; a conversation stays with whoever began it. Then the arm's first
candidate is chosen, or another one that is explored. The propensity of what came out is exact:

    sum over arms of P(arm) * P(candidate | arm)

so in the canary both predictors are asked about each request. Later turns of a conversation are neither explored nor
drawn again: who decides them is known from its first turn, and given that, what comes out is certain.

Nothing is drawn for requests that a rule, a caller or the lack of others pinned.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, NamedTuple, TypeAlias

from turnout.config.routing import Hybrid
from turnout.errors import NoCandidateError
from turnout.policy.exploring import Explorer, explored
from turnout.types import DecidedBy, Decision

PINNED: Final[frozenset[DecidedBy]] = frozenset({"force", "only", "order", "prefer"})

Rival: TypeAlias = Callable[[], Decision]
"""Makes the challenger's decision about the same request."""


class Arm(NamedTuple):
    """One predictor's decision, the chance that it counts, and then that of each of its ranking."""

    chance: float
    decision: Decision
    spread: Sequence[float]

    def of(self, candidate: str) -> float:
        """The probability that this arm is drawn, and the candidate with it."""
        places = zip(self.decision.ranking, self.spread, strict=True)
        return self.chance * next((part for entry, part in places if entry.candidate == candidate), 0.0)


class Drawing:
    """Draws under one configuration. Safe to share between threads.

    Args:
        settings: exploration, and what the challenger may do.
        chance: a number from 0 to under 1, another one each time; 0 draws the champion's first.
    """

    def __init__(self, settings: Hybrid, chance: Callable[[], float]) -> None:
        self._settings = settings
        self._explorer = Explorer(settings.exploration)
        self._chance = chance

    def draw(self, usual: Decision, rival: Rival | None, conversation: str = "", *, begun: bool = False) -> Decision:
        """What comes out, with its propensity. The decisions that are given are written into; nobody else may hold them.

        Args:
            usual: the champion's decision.
            rival: makes the challenger's; None where there is none.
            conversation: whose turn it is, if any.
            begun: whether it had a turn before.
        """
        if usual.decided_by in PINNED or usual.hold:
            return usual
        mode, share = self._settings.challenger, self._settings.canary_share
        if rival is not None and mode == "shadow":
            _note(usual, shadow=partial(_compared, usual.candidate, rival))
        if rival is None or mode != "canary" or not share:
            return usual if conversation or not self._explorer.is_on else self._drawn([self._arm(1.0, usual)])
        lot = _place_of(conversation) if conversation else self._chance()
        is_rivals = lot >= 1.0 - share
        if begun and not is_rivals:
            return usual
        try:
            other = rival()
        except NoCandidateError:  # a rule on the challenger's chances leaves nobody: it has no say here
            return self._drawn([self._arm(1.0, usual, conversation)])
        _note(other, arm="challenger")
        if begun:
            return other
        arms = [self._arm(1.0 - share, usual, conversation), self._arm(share, other, conversation)]
        return self._drawn(arms, int(is_rivals))

    def _arm(self, chance: float, decision: Decision, conversation: str = "") -> Arm:
        if conversation:
            return Arm(chance, decision, [1.0, *[0.0] * (len(decision.ranking) - 1)])
        return Arm(chance, decision, self._explorer.spread(decision))

    def _drawn(self, arms: Sequence[Arm], which: int = 0) -> Decision:
        """One of this arm's candidates, with its probability over all arms."""
        decision, spread = arms[which].decision, arms[which].spread
        place, lot = 0, self._chance() - spread[0]
        while lot >= 0.0 and place < len(spread) - 1:
            place += 1
            lot -= spread[place]
        candidate = decision.ranking[place].candidate
        propensity = sum([arm.of(candidate) for arm in arms]) if len(arms) > 1 else spread[place]
        _note(decision, propensity=propensity, exploration=sum(spread[1:]))
        return explored(decision, place) if place else decision


def _note(decision: Decision, **fields: Any) -> None:
    """Write into a decision that nobody else has seen yet: a copy would take longer than all of the drawing."""
    for name, value in fields.items():
        object.__setattr__(decision, name, value)


def _compared(usual: str, rival: Rival) -> tuple[str, str]:
    """Whom the champion and whom the challenger would choose."""
    return usual, rival().candidate


def _place_of(conversation: str) -> float:
    """A number from 0 to under 1 that is the same for each turn, in each process."""
    digest = hashlib.blake2b(conversation.encode("utf-8", "surrogatepass"), digest_size=6).digest()
    return int.from_bytes(digest) / 2**48
