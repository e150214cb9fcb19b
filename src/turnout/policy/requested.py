"""What conditions of rules can ask about a request and its caller."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from operator import attrgetter
from typing import Any, Final, TypeAlias

from turnout.config.expression_variables import MAX_ENTRIES
from turnout.policy.mentions import keywords, known_words, languages
from turnout.policy.observed import bounded
from turnout.types import Hints, Request, Task
from turnout.types.tokens import likely_tokens

NO_HINTS: Final = Hints()


class Requested:
    """One request with what is said beside it. What several variables need is made once.

    Args:
        request: what is asked.
        task: what kind of work it is.
        preference: of the caller.
        hints: what the caller says beside it.
        last_candidate: who answered the last turn of the conversation here; empty for nobody.
        turns: how many turns of it were answered here; None for as many as the request holds answers.
        prompt_tokens: likely tokens of the request; None to count them if a condition asks.
        secrets: kinds that were found already; None until a condition asks.
    """

    __slots__ = (
        "_headers",
        "_words",
        "hints",
        "last_candidate",
        "preference",
        "prompt",
        "prompt_tokens",
        "request",
        "secrets",
        "task",
        "turns",
    )

    def __init__(
        self,
        request: Request,
        task: Task,
        preference: str | float = "balanced",
        hints: Hints = NO_HINTS,
        last_candidate: str = "",
        turns: int | None = None,
        prompt_tokens: int | None = None,
        secrets: Sequence[str] | None = None,
    ) -> None:
        self.request = request
        self.prompt = request.prompt
        self.task = task
        self.preference = preference
        self.hints = hints
        self.last_candidate = last_candidate
        self.turns = turns
        self.prompt_tokens = prompt_tokens
        self.secrets = secrets
        self._words: frozenset[bytes] | None = None
        self._headers: dict[str, str] | None = None

    @property
    def words(self) -> frozenset[bytes]:
        """Words of the prompt that mean something, for keywords and languages alike."""
        if self._words is None:
            self._words = known_words(self.prompt)
        return self._words

    @property
    def headers(self) -> dict[str, str]:
        """Hints by names in lower case with underscores."""
        if self._headers is None:
            first = islice(self.hints.headers.items(), MAX_ENTRIES)
            self._headers = {bounded(name).lower().replace("-", "_"): bounded(value) for name, value in first}
        return self._headers


Maker: TypeAlias = Callable[[Requested], Any]

PLAIN: Final[Mapping[str, Maker]] = {
    "task_type": attrgetter("task.type"),
    "complexity": attrgetter("task.complexity"),
    "complexity_score": attrgetter("task.complexity_score"),
    "tier": attrgetter("task.tier"),
    "tier_score": attrgetter("task.tier_score"),
    "files": lambda of: len(of.request.files),
    "tools": lambda of: len(of.request.tools),
    "images": lambda of: sum([len(message.images) for message in of.request.messages]),
    "turns": lambda of: _count(of.request, "user"),
    "prompt_tokens": lambda of: likely_tokens(of.request) if of.prompt_tokens is None else of.prompt_tokens,
    "prompt_chars": lambda of: len(of.prompt),
    "languages": lambda of: languages(of.prompt, of.words),
    "keywords": lambda of: keywords(of.words),
    "preference": lambda of: bounded(of.preference) if isinstance(of.preference, str) else float(of.preference),
}
"""How each variable is made that is no map."""

_CONVERSATION: Final[Mapping[str, Maker]] = {
    "present": lambda of: bool(of.hints.conversation),
    "turns": lambda of: _count(of.request, "assistant") if of.turns is None else of.turns,
    "candidate": lambda of: bounded(of.last_candidate),
}

MAPS: Final[Mapping[str, Maker]] = {
    "header": lambda of: of.headers,
    "conversation": lambda of: {name: made(of) for name, made in _CONVERSATION.items()},
}
"""How each map is made."""


def at(path: tuple[str, ...]) -> Maker:
    """How the value at the end of a path into a map is made; None where it is absent."""
    owner, name = path
    return _CONVERSATION[name] if owner == "conversation" else lambda of: of.headers.get(name)


def _count(request: Request, role: str) -> int:
    return [message.role for message in request.messages].count(role)
