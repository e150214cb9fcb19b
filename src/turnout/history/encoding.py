"""From a record to its line in the journal: the hot path of the history, written out field by field.

What the prompt mode keeps from the disk is left out here, before anything is written.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, Final

from turnout.history.direct import Attempted, Decided, Recordable
from turnout.history.fingerprints import Fingerprints
from turnout.history.layout import ATTEMPT, DECISION, FEEDBACK, LANGUAGE_MODEL, OUTCOME, Layout, pack_numbers
from turnout.history.packing import pack_features
from turnout.history.records import (
    AttemptRecord,
    DecisionRecord,
    FeedbackRecord,
    LanguageModelRecord,
    OutcomeRecord,
    PromptMode,
)
from turnout.types import Attempt, Decision, Task, Usage

MAX_PROMPT_CHARS: Final = 4_000_000
"""About a million tokens, the largest windows of 2026; what is longer is cut, and `prompt_chars` tells."""

MAX_ANSWER_CHARS: Final = 1_000_000

MAX_TEXT_CHARS: Final = 4_000
"""Reasons and messages of providers; some send whole pages of HTML."""

MAX_COMMENT_CHARS: Final = 20_000

_DECISION: Final = DECISION.name.encode()
_NUMBERS: Final = frozenset({int, float, bool})


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
        self._makers: dict[type, Callable[[Any], bytes]] = {
            DecisionRecord: lambda record: self._decision(record, record, record, record.task_type),
            Decided: lambda told: self._decision(told, told.decision, told.decision.task, told.decision.task.type),
            AttemptRecord: lambda record: self._attempt(record, record, record),
            Attempted: lambda told: self._attempt(told, told.attempt, told.attempt.usage),
            OutcomeRecord: self._outcome,
            FeedbackRecord: self._feedback,
            LanguageModelRecord: self._language_model,
        }

    def line(self, record: Recordable) -> bytes:
        """The record's line with its newline.

        Raises:
            TypeError, ValueError, OverflowError, RecursionError: a field holds what cannot be kept.
        """
        make = self._makers.get(type(record))
        if make is None:
            raise TypeError(f"a {type(record).__name__} is no record of the history")
        return make(record)

    def _decision(
        self,
        known: DecisionRecord | Decided,
        made: DecisionRecord | Decision,
        task: DecisionRecord | Task,
        task_type: str,
    ) -> bytes:
        """A `DecisionRecord` is all of these; otherwise a decision stands beside what is known of its request."""
        prompt, fingerprint, chars, features = known.prompt, None, None, b""
        if self._features:
            if prompt is not None:
                fingerprint, chars = self._fingerprint(prompt), len(prompt)
            if made.features is not None:
                features = pack_features(made.features)
        numbers = [
            known.created_at,
            made.confidence,
            made.propensity,
            task.complexity_score,
            task.tier_score,
            made.novelty,
            made.out_of_depth,
            chars,
        ]
        for one in made.ranking:
            numbers += (one.p_success, one.expected_s, one.cost_usd, one.utility, one.learned, one.inherited)
        texts = self._json(
            (
                known.id,
                known.request_id,
                known.conversation,
                known.user,
                made.preference,
                made.candidate,
                made.decided_by,
                made.reason[:MAX_TEXT_CHARS],
                task_type,
                task.complexity,
                task.tier,
                known.predictor,
                made.configuration,
                prompt[:MAX_PROMPT_CHARS] if self._full and prompt is not None else None,
                fingerprint,
                known.features_schema,
            )
        )
        return b"%b\t%b\t%b\t%b\t%b\t%b\t%b\n" % (
            _DECISION,
            pack_numbers(numbers),
            features,
            texts.encode("ascii"),
            _repeated(tuple(made.rules)),
            _repeated(tuple([one.candidate for one in made.ranking])),
            _repeated(tuple([(one.candidate, one.reason, one.rule) for one in made.excluded])),
        )

    def _attempt(
        self, known: AttemptRecord | Attempted, made: AttemptRecord | Attempt, usage: AttemptRecord | Usage
    ) -> bytes:
        """An `AttemptRecord` is all of these; otherwise an attempt stands beside what is known of its request."""
        return self._line(
            ATTEMPT,
            (
                known.number,
                made.started_at,
                made.queue_s,
                made.load_s,
                made.first_token_s,
                made.total_s,
                usage.prompt_tokens,
                usage.completion_tokens,
                made.tokens_per_s,
                made.streamed,
                known.confidence,
                known.chosen,
            ),
            (
                known.id,
                known.decision_id,
                known.role,
                made.candidate,
                made.error,
                made.message[:MAX_TEXT_CHARS] if self._full else "",
                known.answer[:MAX_ANSWER_CHARS] if self._full and known.answer is not None else None,
            ),
            known.signals,
        )

    def _outcome(self, record: OutcomeRecord) -> bytes:
        return self._line(
            OUTCOME,
            (record.score, record.weight, record.created_at),
            (record.id, record.decision_id, record.candidate, record.source),
            record.details,
        )

    def _feedback(self, record: FeedbackRecord) -> bytes:
        comment = record.comment[:MAX_COMMENT_CHARS] if self._full else ""
        return self._line(
            FEEDBACK,
            (record.value, record.created_at),
            (record.id, record.decision_id, record.user, record.kind, comment),
        )

    def _language_model(self, record: LanguageModelRecord) -> bytes:
        return self._line(LANGUAGE_MODEL, (record.first_seen_at,), (record.id, record.candidate, record.identity))

    def _line(
        self,
        layout: Layout,
        numbers: Iterable[float | None],
        texts: tuple[str | None, ...],
        details: Mapping[str, Any] | None = None,
    ) -> bytes:
        line = f"{layout.name}\t{pack_numbers(numbers).decode('ascii')}\t{self._json(texts)}"
        if details is not None:
            line = f"{line}\t{self._json(details if self._full else _without_texts(details))}"
        return f"{line}\n".encode("ascii")


@lru_cache(maxsize=1000)
def _repeated(values: tuple[Any, ...]) -> bytes:
    """JSON of names that come again with every other request."""
    return json.dumps(values, separators=(",", ":")).encode("ascii")


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
