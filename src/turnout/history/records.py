"""What the history keeps: a frozen value for each decision, attempt, outcome, piece of feedback and language model.

Whoever executes a request builds them and hands them to `History.record`. Times are Unix seconds. An id is unique for
ever: a second record with the id of an earlier one is taken for the same record.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from turnout.types import Decision, Excluded, Ranked

AttemptRole: TypeAlias = Literal["first", "escalation", "fallback", "race", "ensemble"]
PromptMode: TypeAlias = Literal["full", "features", "none"]


class _Chance:
    """Random bits without asking the system each time: that took longer than all else of an id."""

    def __init__(self) -> None:
        self._drawn = random.Random(os.urandom(16))  # noqa: S311 - ids have to differ, not to be secret
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._begin_anew)

    def _begin_anew(self) -> None:
        self._drawn = random.Random(os.urandom(16))  # noqa: S311

    def bits(self, count: int) -> int:
        return self._drawn.getrandbits(count)


_CHANCE: Final = _Chance()


def new_id() -> str:
    """32 hexadecimal digits: nanoseconds first, so that rows lie in the order of time, then 64 random bits."""
    return f"{time.time_ns():016x}{_CHANCE.bits(64):016x}"


class FeatureArrays(Protocol):
    """What is stored of features: the vector, and the hashed n-grams with their counts; `Features` has them all."""

    @property
    def vector(self) -> NDArray[np.float32]:
        """float32 of shape (number of features,)."""
        ...

    @property
    def buckets(self) -> NDArray[np.int64]:
        """The distinct hashed n-grams, each under 2**32."""
        ...

    @property
    def counts(self) -> NDArray[np.int64]:
        """How often each occurs."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionRecord:
    """One decision: for whom, who was chosen among whom, how sure, how likely it was to be chosen.

    `predictor` is the version of the predictor, `configuration` the fingerprint of the configuration. Whether `prompt`
    and `features` reach the disk is set in the history. `features_schema` is the hash of the schema that gives the
    features their meaning.
    """

    id: str = field(default_factory=new_id)
    created_at: float = field(default_factory=time.time)
    request_id: str = ""
    conversation: str = ""
    user: str = ""
    preference: str = ""
    candidate: str
    confidence: float
    propensity: float = 1.0
    decided_by: str = "utility"
    reason: str = ""
    rules: tuple[str, ...] = ()
    ranking: tuple[Ranked, ...] = ()
    excluded: tuple[Excluded, ...] = ()
    task_type: str = ""
    complexity: str = ""
    complexity_score: float | None = None
    tier: str = ""
    tier_score: float | None = None
    novelty: float = 0.0
    out_of_depth: bool = False
    predictor: str = ""
    configuration: str = ""
    prompt: str | None = None
    features: FeatureArrays | None = None
    features_schema: str = ""

    @classmethod
    def of(
        cls,
        decision: Decision,
        *,
        id: str | None = None,
        created_at: float | None = None,
        request_id: str = "",
        conversation: str = "",
        user: str = "",
        predictor: str = "",
        prompt: str | None = None,
        features: FeatureArrays | None = None,
        features_schema: str = "",
    ) -> DecisionRecord:
        """The record of a decision, made now if no other time is given, with what the decision itself does not know."""
        task = decision.task
        return cls(
            id=id if id is not None else new_id(),
            created_at=created_at if created_at is not None else time.time(),
            request_id=request_id,
            conversation=conversation,
            user=user,
            preference=decision.preference,
            candidate=decision.candidate,
            confidence=decision.confidence,
            propensity=decision.propensity,
            decided_by=decision.decided_by,
            reason=decision.reason,
            rules=decision.rules,
            ranking=decision.ranking,
            excluded=decision.excluded,
            task_type=task.type,
            complexity=task.complexity,
            complexity_score=task.complexity_score,
            tier=task.tier,
            tier_score=task.tier_score,
            novelty=decision.novelty,
            out_of_depth=decision.out_of_depth,
            predictor=predictor,
            configuration=decision.configuration,
            prompt=prompt,
            features=features,
            features_schema=features_schema,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRecord:
    """One call to one candidate on behalf of a decision, however it ended.

    `number` counts the attempts of the request from 1; `chosen` says that its answer was handed out; `signals` are
    what the `confidence` in the answer was made of. Seconds, tokens and `error` are those of `turnout.types.Attempt`.
    The text of the `answer` is kept as prompts are.
    """

    id: str = field(default_factory=new_id)
    decision_id: str
    number: int = 1
    role: AttemptRole = "first"
    candidate: str
    started_at: float = field(default_factory=time.time)
    queue_s: float | None = None
    load_s: float | None = None
    first_token_s: float | None = None
    total_s: float | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    tokens_per_s: float | None = None
    streamed: bool = False
    error: str = ""
    message: str = ""
    confidence: float | None = None
    signals: Mapping[str, Any] = field(default_factory=dict)
    chosen: bool = False
    answer: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeRecord:
    """What is known of a candidate's answer afterwards: a score from 0 to 1, from whom, and how much that counts.

    `source` says who judged: verifier, feedback, escalation, judge, or a name of one's own.
    """

    id: str = field(default_factory=new_id)
    decision_id: str
    candidate: str
    source: str
    score: float
    weight: float = 1.0
    created_at: float = field(default_factory=time.time)
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackRecord:
    """What a user said or did about an answer: good, bad, score (with its `value`), regenerate, edit_kept, ..."""

    id: str = field(default_factory=new_id)
    decision_id: str
    user: str = ""
    kind: str
    value: float | None = None
    comment: str = ""
    created_at: float = field(default_factory=time.time)


@dataclass(frozen=True, slots=True, kw_only=True)
class LanguageModelRecord:
    """Which language model is behind a candidate's name, as of a moment; `identity` is that of `identities`."""

    id: str = field(default_factory=new_id)
    candidate: str
    identity: str
    first_seen_at: float = field(default_factory=time.time)


Record: TypeAlias = DecisionRecord | AttemptRecord | OutcomeRecord | FeedbackRecord | LanguageModelRecord
