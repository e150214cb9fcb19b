"""What a caller wants of one candidate besides the answer: by when, in pieces or not, and to hear of each attempt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from turnout.providers.clock import Deadline
from turnout.types import Attempt, Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """One request on its way through a lane, retries included.

    `request` is None where no answer is generated. `expected_s` is what the caller expects of the answer itself, from
    its slot to its end; whoever waits behind it is told. `on_attempt` hears of each attempt as it ends.
    """

    request: Request | None
    deadline: Deadline
    streamed: bool = False
    expected_s: float | None = None
    on_attempt: Callable[[Attempt], None] | None = None
