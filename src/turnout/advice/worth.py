"""What a way to answer is worth: its chance of success less what its seconds cost, as the balanced preference counts both."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from turnout.advice.beliefs import Beliefs
from turnout.advice.profiles import Profile
from turnout.policy.utility import EXCHANGE_RATES


class Scale:
    """Seconds are relative to an answer of the slowest candidate for which there is room."""

    def __init__(self, profiles: Iterable[Profile], believed: Beliefs, room: int | None) -> None:
        self.fitting = tuple(each for each in profiles if fits(each, room))
        self._believed = believed
        self._slowest_s = max((each.answer_s for each in self.fitting), default=1.0)

    def alone(self, *, here: bool = False) -> tuple[str, float] | None:
        """Who should answer everything if only one may, and what that is worth; None where nobody has room.

        `here` asks among those that run on this machine.
        """
        asked = (one for one in self.fitting if one.here or not here)
        each = ((one.name, float(self._on_prompts(one).mean())) for one in asked)
        return max(each, key=lambda pair: pair[1], default=None)

    def together(self, fast: Profile, strong: Profile, *, changing: bool) -> float:
        """Of two of which a router asks the better one each time; `changing` where one has to make room for the other."""
        with_fast, with_strong = self._on_prompts(fast), self._on_prompts(strong)
        worth = float(np.maximum(with_fast, with_strong).mean())
        if changing:
            # Which one is asked next is as good as drawn, and the other one has to be loaded then.
            taken = float((with_fast >= with_strong).mean())
            worth -= self._cost(taken * (1 - taken) * (fast.load_s + strong.load_s))
        return worth

    def _on_prompts(self, one: Profile) -> NDArray[np.float64]:
        return np.asarray(self._believed.expected_of(one.name) - self._cost(one.answer_s))

    def _cost(self, seconds: float) -> float:
        return EXCHANGE_RATES["balanced"] * seconds / self._slowest_s


def fits(profile: Profile, room: int | None) -> bool:
    """Whether there is room for it; what is not known, or runs elsewhere, takes nothing."""
    return room is None or profile.memory is None or profile.memory.value <= room
