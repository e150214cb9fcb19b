"""What can be set in LM Studio's app, and quirks that some models and engines have."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from turnout.emulators.policy import Policy

DEFAULT_VERSION: Final = "0.4.20"
ReasoningPlace: TypeAlias = Literal["auto", "reasoning_content", "reasoning", "content"]


@dataclass(frozen=True, slots=True)
class LMStudioSettings:
    """How this LM Studio is set up. Idle time, eviction, slots and memory are fields of the engine's `Policy`.

    just_in_time: the first request for a downloaded model loads it.
    api_token: what requests have to bring as a bearer token; None lets everybody in.
    context_length: tokens of the window that models are loaded with when nothing else is said.
    reasoning: where reasoning goes in chat completions: a field, or the text in think tags; `auto` goes by the model.
    logprobs: whether the inference engine is new enough to give log-probabilities to `/v1/responses`.
    sparse_models: models of whose file little is known, so that the lists leave out what they may leave out.
    silent_overflow: models that answer a prompt that does not fit with status 200 and no text.
    """

    just_in_time: bool = True
    api_token: str | None = None
    context_length: int = 4096
    reasoning: ReasoningPlace = "auto"
    logprobs: bool = True
    sparse_models: frozenset[str] = frozenset({"llama-3.1-8b"})
    silent_overflow: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Version:
    """A version of LM Studio."""

    numbers: tuple[int, ...]

    @classmethod
    def parse(cls, text: str) -> Version:
        """Read `0.4.20`, or `0.4.20+1` with the number of a build."""
        return cls(tuple(int(number) for number in re.findall(r"\d+", re.split(r"[-+ ]", text)[0])))

    def since(self, *numbers: int) -> bool:
        """Whether it is this version or a later one."""
        return self.numbers >= numbers


def policy_of(version: Version) -> Policy:
    """How this version manages models unless its user has changed that."""
    parallel, evicting = version.since(0, 4), version.since(0, 3, 9)
    return Policy(
        slots=4 if parallel else 1,
        keep_alive_s=3600.0 if evicting else math.inf,
        keep_alive_renewed=False,
        one_instance=False,
        keep_one_automatic=evicting,
        evict_busy=True,
        shared_context=parallel,
        prefill_outlives_client=True,
    )
