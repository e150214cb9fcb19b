"""From a record to its line in the journal: the hot path of the history, written out field by field.

What the prompt mode keeps from the disk is left out here, before anything is written.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from turnout.history.fingerprints import Fingerprints
from turnout.history.layout import ATTEMPT, DECISION, FEEDBACK, OUTCOME, pack_numbers
from turnout.history.packing import pack_features
from turnout.history.records import (
    AttemptRecord,
    DecisionRecord,
    FeedbackRecord,
    OutcomeRecord,
    PromptMode,
    Record,
)

MAX_PROMPT_CHARS: Final = 4_000_000
"""About a million tokens, the largest windows of 2026; what is longer is cut, and `prompt_chars` tells."""

MAX_ANSWER_CHARS: Final = 1_000_000

MAX_TEXT_CHARS: Final = 4_000
"""Reasons and messages of providers; some send whole pages of HTML."""

MAX_COMMENT_CHARS: Final = 20_000

_NUMBERS: Final = frozenset({int, float, bool})

Parts: TypeAlias = "tuple[str, tuple[str | None, ...], str, *tuple[Any, ...]]"


class Encoder:
    """Makes lines under one prompt mode.

    With "features" the disk sees neither prompts nor answers nor any free text that may quote them (messages of
    providers, texts in signals and details, comments); with "none" neither features nor the prompt's fingerprint as
    well.
    """

    def __init__(self, prompts: PromptMode, fingerprints: Fingerprints) -> None:
        self._full = prompts == "full"
        self._features = prompts != "none"
        self._fingerprint = fingerprints.of
        # Records hold no circles, and looking for them takes a quarter of the time.
        self._json = json.JSONEncoder(separators=(",", ":"), check_circular=False, default=_plain).encode
        self._parts: dict[type, Callable[[Any], Parts]] = {
            DecisionRecord: self._decision,
            AttemptRecord: self._attempt,
            OutcomeRecord: self._outcome,
            FeedbackRecord: self._feedback,
        }

    def line(self, record: Record) -> bytes:
        """The record's line with its newline.

        Raises:
            TypeError, ValueError, OverflowError, RecursionError: a field holds what cannot be kept.
        """
        parts = self._parts.get(type(record))
        if parts is None:
            raise TypeError(f"a {type(record).__name__} is no record of the history")
        return f"{self._json(parts(record))}\n".encode("ascii")

    def _decision(self, record: DecisionRecord) -> Parts:
        prompt = fingerprint = features = None
        chars = None
        if self._features:
            if record.prompt is not None:
                fingerprint, chars = self._fingerprint(record.prompt), len(record.prompt)
                prompt = record.prompt[:MAX_PROMPT_CHARS] if self._full else None
            if record.features is not None:
                features = pack_features(record.features)
        numbers = [
            record.created_at,
            record.confidence,
            record.propensity,
            record.complexity_score,
            record.tier_score,
            record.novelty,
            record.out_of_depth,
            chars,
        ]
        for one in record.ranking:
            numbers += (one.p_success, one.expected_s, one.cost_usd, one.utility, one.learned, one.inherited)
        return (
            DECISION.name,
            (
                record.id,
                record.request_id,
                record.conversation,
                record.user,
                record.preference,
                record.candidate,
                record.decided_by,
                record.reason[:MAX_TEXT_CHARS],
                record.task_type,
                record.complexity,
                record.tier,
                record.predictor,
                record.configuration,
                prompt,
                fingerprint,
                features,
                record.features_schema,
            ),
            pack_numbers(numbers),
            record.rules,
            [one.candidate for one in record.ranking],
            [(one.candidate, one.reason, one.rule) for one in record.excluded],
        )

    def _attempt(self, record: AttemptRecord) -> Parts:
        return (
            ATTEMPT.name,
            (
                record.id,
                record.decision_id,
                record.role,
                record.candidate,
                record.error,
                record.message[:MAX_TEXT_CHARS] if self._full else "",
                record.answer[:MAX_ANSWER_CHARS] if self._full and record.answer is not None else None,
            ),
            pack_numbers(
                (
                    record.number,
                    record.started_at,
                    record.queue_s,
                    record.load_s,
                    record.first_token_s,
                    record.total_s,
                    record.prompt_tokens,
                    record.completion_tokens,
                    record.tokens_per_s,
                    record.streamed,
                    record.confidence,
                    record.chosen,
                )
            ),
            self._told(record.signals),
        )

    def _outcome(self, record: OutcomeRecord) -> Parts:
        return (
            OUTCOME.name,
            (record.id, record.decision_id, record.candidate, record.source),
            pack_numbers((record.score, record.weight, record.created_at)),
            self._told(record.details),
        )

    def _feedback(self, record: FeedbackRecord) -> Parts:
        comment = record.comment[:MAX_COMMENT_CHARS] if self._full else ""
        return (
            FEEDBACK.name,
            (record.id, record.decision_id, record.user, record.kind, comment),
            pack_numbers((record.value, record.created_at)),
        )

    def _told(self, values: Mapping[str, Any]) -> Any:
        return values if self._full else _without_texts(values)


def _without_texts(value: Any) -> Any:
    """The numbers, flags and names of a value; its texts are None."""
    if type(value) in _NUMBERS:
        return value
    if isinstance(value, Mapping):
        return {name: _without_texts(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_without_texts(entry) for entry in value]
    return None


def _plain(value: object) -> object:
    """What JSON has no word for: numbers and arrays of numpy, sets, frozen mappings; all else is refused."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, set | frozenset):
        return sorted(value, key=str)
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"a {type(value).__name__} cannot be kept in the history")
