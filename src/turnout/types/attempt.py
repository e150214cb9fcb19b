"""What was measured of one call to one candidate."""

from __future__ import annotations

from dataclasses import dataclass

from turnout.types.answer import Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One call to one candidate, however it ended.

    `queue_s` was spent waiting for a slot here, `load_s` for the language model to be loaded, `first_token_s` from
    the call to its first content (None where the answer was not streamed or never began); `total_s` is everything, what the
    reader of a stream held it up for (`held_s`) included.
    `error` is the code of the error that ended it, empty on success, `cancelled` where the caller went away.
    `number` counts the tries of one request at this candidate from 1.
    """

    candidate: str
    started_at: float
    queue_s: float = 0.0
    load_s: float = 0.0
    first_token_s: float | None = None
    total_s: float = 0.0
    usage: Usage = Usage()
    tokens_per_s: float | None = None
    streamed: bool = False
    number: int = 1
    error: str = ""
    message: str = ""
    held_s: float = 0.0

    @property
    def answer_s(self) -> float:
        """From the slot to the end of the answer, as fast as it was read."""
        return self.total_s - self.queue_s - self.load_s - self.held_s
