"""What is configured of one candidate, and what one request needs: the two things that eligibility compares."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

from turnout.types import Request, TaskType
from turnout.types.tokens import BYTES_PER_TOKEN, MOST_BYTES_PER_TOKEN, TOKENS_PER_MESSAGE, likely_tokens

# First guesses at the tokens of an answer, in the order of what such answers look like; measured means replace them.
ANSWER_TOKENS: Final[dict[TaskType, int]] = {
    "template": 150,
    "format": 200,
    "edit": 200,
    "generation": 400,
    "debugging": 500,
    "analysis": 600,
    "planning": 700,
    "multi_file": 900,
    "general": 250,
}


TYPICAL_ANSWER_TOKENS: Final = math.exp(sum(map(math.log, ANSWER_TOKENS.values())) / len(ANSWER_TOKENS))
"""Their geometric mean, to compare with the running geometric means of what was measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One candidate as configured. None leaves it to what the provider tells, and else to "nobody knows".

    `local` says that prompts go to nobody else; `here` that it runs in the memory of this machine. Costs are in dollars
    for a million tokens; `slots` is how many requests of it its provider runs at once, `provider_slots` how many in all.
    """

    name: str
    local: bool = True
    here: bool = True
    context_length: int | None = None
    capabilities: frozenset[str] | None = None
    memory_bytes: int | None = None
    slots: int = 1
    provider_slots: int = 1
    input_usd_per_million: float | None = None
    output_usd_per_million: float | None = None

    @property
    def provider(self) -> str:
        """The part before the slash."""
        return self.name.partition("/")[0]

    def cost_usd(self, prompt_tokens: int, answer_tokens: float) -> float | None:
        """Expected cost of one answer: nothing for a local candidate without a price, None for a remote one."""
        if self.input_usd_per_million is None and self.output_usd_per_million is None:
            return 0.0 if self.local else None
        into, out = self.input_usd_per_million or 0.0, self.output_usd_per_million or 0.0
        return (prompt_tokens * into + answer_tokens * out) / 1e6


@dataclass(frozen=True, slots=True)
class Needs:
    """What a request asks of a candidate. Tokens: of the prompt (likely, at least), of the answer (as guessed, and the
    most that the caller allows)."""

    prompt_tokens: int
    least_prompt_tokens: int
    answer_tokens: int
    capabilities: frozenset[str]
    most_answer_tokens: int | None = None

    @property
    def unlimited(self) -> Needs:
        """The same with an answer as long as it becomes."""
        return self if self.most_answer_tokens is None else replace(self, most_answer_tokens=None)

    def allowed(self, tokens: float) -> float:
        """So many tokens of the answer, within what the caller allows."""
        most = self.most_answer_tokens
        return tokens if most is None else min(tokens, most)

    @classmethod
    def of(cls, request: Request, task_type: TaskType) -> Needs:
        """Read off a request and what kind of work it is."""
        wanted = []
        if request.tools and request.tool_choice != "none":
            wanted.append("tools")
        if any(message.images for message in request.messages):
            wanted.append("vision")
        if request.answer_format is not None:
            wanted.append("json_schema")
        prompt_tokens = likely_tokens(request)
        # The same text with the most bytes to a token, rounded down once more: what `least_tokens` counts.
        text_tokens = prompt_tokens - TOKENS_PER_MESSAGE * len(request.messages)
        return cls(
            prompt_tokens,
            int(text_tokens * BYTES_PER_TOKEN / MOST_BYTES_PER_TOKEN),
            ANSWER_TOKENS[task_type],
            frozenset(wanted) if wanted else _NOTHING,
            request.sampling.max_tokens,
        )


_NOTHING: Final[frozenset[str]] = frozenset()
