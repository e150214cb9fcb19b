"""The words of the project as frozen values. Units are in the names; nothing here does I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, cast, get_args

from turnout.errors import RequestError

TaskType: TypeAlias = Literal[
    "template", "format", "edit", "generation", "debugging", "analysis", "planning", "multi_file", "general"
]
TASK_TYPES: tuple[TaskType, ...] = get_args(TaskType)

Complexity: TypeAlias = Literal["simple", "medium", "complex"]
COMPLEXITIES: tuple[Complexity, ...] = get_args(Complexity)

Tier: TypeAlias = Literal["fast", "strong"]
TIERS: tuple[Tier, ...] = get_args(Tier)

Preference: TypeAlias = Literal["fast", "balanced", "quality"]
PREFERENCES: tuple[Preference, ...] = get_args(Preference)

RequestLike: TypeAlias = "str | Sequence[Mapping[str, Any]] | Request"


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation. `images` counts the pictures; their bytes never reach the router."""

    role: str
    content: str
    images: int = 0


@dataclass(frozen=True, slots=True)
class Request:
    """What a caller asks, as far as routing needs to know it."""

    messages: tuple[Message, ...]
    tools: int = 0
    files: tuple[str, ...] = ()

    @classmethod
    def of(cls, value: RequestLike) -> Request:
        """Accept a prompt, a list of chat messages (OpenAI's shape) or a ready request.

        Raises:
            RequestError: the value is of another type, holds no message, or a message has no usable content.
        """
        if isinstance(value, Request):
            return value
        if isinstance(value, str):
            return cls((Message("user", value),))
        if isinstance(value, bytes | bytearray | Mapping) or not isinstance(value, Sequence):
            raise RequestError(f"a request is a prompt or a list of messages, not {type(value).__name__}")
        if not value:
            raise RequestError("the list of messages is empty; give at least one user message")
        return cls(tuple(_message(index, entry) for index, entry in enumerate(value)))

    @property
    def prompt(self) -> str:
        """The text to be judged: the last user message, or the last message if no user spoke."""
        for message in reversed(self.messages):
            if message.role == "user":
                return message.content
        return self.messages[-1].content if self.messages else ""


def _message(index: int, entry: object) -> Message:
    if isinstance(entry, Message):
        return entry
    if not isinstance(entry, Mapping):
        raise RequestError(f"message {index} is {type(entry).__name__}, expected an object with role and content")
    fields = cast("Mapping[str, Any]", entry)
    role, content = fields.get("role", "user"), fields.get("content")
    if not isinstance(role, str):
        raise RequestError(f"message {index} has a role of type {type(role).__name__}, expected text")
    if content is None:
        return Message(role, "")
    if isinstance(content, str):
        return Message(role, content)
    if isinstance(content, bytes) or not isinstance(content, Sequence):
        raise RequestError(f"message {index} has content of type {type(content).__name__}, expected text or parts")
    texts: list[str] = []
    images = 0
    for part in content:
        if not isinstance(part, Mapping):
            raise RequestError(f"message {index} has a content part of type {type(part).__name__}, expected an object")
        if isinstance(part.get("text"), str):
            texts.append(part["text"])
        elif "image" in str(part.get("type", "")):
            images += 1
    return Message(role, "\n".join(texts), images)


@dataclass(frozen=True, slots=True)
class Task:
    """What kind of work a request is, each label with its scores so that rules can use them.

    `complexity_score` runs from 0 to 10; `tier_score` is the probability that the strong tier is needed.
    """

    type: TaskType
    type_scores: Mapping[TaskType, float]
    complexity: Complexity
    complexity_score: float
    complexity_scores: Mapping[Complexity, float]
    tier: Tier
    tier_score: float


@dataclass(frozen=True, slots=True)
class Ranked:
    """One candidate in a decision: calibrated probability of success, expected seconds and cost, utility."""

    candidate: str
    p_success: float
    expected_s: float | None
    cost_usd: float | None
    utility: float


@dataclass(frozen=True, slots=True)
class Decision:
    """The ranked candidates for one request, best first, and why.

    `confidence` is the calibrated probability that the chosen candidate succeeds; `propensity` is the
    probability with which this candidate was chosen (1 without exploration). `novelty` is the share of the prompt's
    n-grams that training never saw; `out_of_depth` says that it is beyond what held-out training prompts showed.
    """

    candidate: str
    confidence: float
    reason: str
    ranking: tuple[Ranked, ...]
    task: Task
    novelty: float = 0.0
    out_of_depth: bool = False
    propensity: float = 1.0
