"""What came of each request, written into the history."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from turnout.execution.served import Served
from turnout.features import schema_hash
from turnout.history import AttemptRecord, DecisionRecord, History, OutcomeRecord
from turnout.predictor import Predictor
from turnout.types import Answer, Tried

ESCALATION_WEIGHT: Final = 0.3
"""A confidence is a guess at a score: two of them compare two answers to one prompt, but teach less than a verdict."""


class Recorder:
    """Observes requests for a history.

    Args:
        history: open.
        keep_texts: whether answers may be kept, as prompts are.
    """

    def __init__(self, history: History, *, keep_texts: bool) -> None:
        self._history = history
        self._keep_texts = keep_texts
        self._known: tuple[Predictor | None, str] = (None, "")

    def served(self, news: Served) -> None:
        """Record the decision, every attempt, and what an escalation tells of two answers."""
        decision = news.decision
        if decision is None:
            return  # a cache answered, or nothing could be decided: there is nothing to learn from
        self._history.record(
            DecisionRecord.of(
                decision,
                id=news.id,
                created_at=news.started_at,
                conversation=news.asked.hints.conversation,
                user=news.asked.hints.user,
                predictor=self._version(news.predictor),
                prompt=news.asked.request.prompt,
                features=decision.features,
                features_schema=schema_hash(),
            )
        )
        answer = news.completion.answer if news.completion is not None else None
        for record in self._attempts(news, answer):
            self._history.record(record)
        judged = [entry for entry in news.tried if entry.answer is not None and entry.confidence is not None]
        if len(judged) > 1:
            for entry in judged:
                self._history.record(
                    OutcomeRecord(
                        decision_id=news.id,
                        candidate=entry.candidate,
                        source="escalation",
                        score=entry.confidence or 0.0,
                        weight=ESCALATION_WEIGHT,
                    )
                )

    def _version(self, predictor: Predictor | None) -> str:
        known, told = self._known
        if predictor is not known:
            told = version(predictor)
            self._known = (predictor, told)
        return told

    def _attempts(self, news: Served, answer: Answer | None) -> Iterator[AttemptRecord]:
        number = 0
        for entry in news.tried:
            for attempt in entry.attempts:
                number += 1
                last = attempt is entry.attempts[-1] and not attempt.error
                yield AttemptRecord(
                    decision_id=news.id,
                    number=number,
                    role=entry.role,
                    candidate=attempt.candidate,
                    started_at=attempt.started_at,
                    queue_s=attempt.queue_s,
                    load_s=attempt.load_s,
                    first_token_s=attempt.first_token_s,
                    total_s=attempt.total_s,
                    prompt_tokens=attempt.usage.prompt_tokens,
                    completion_tokens=attempt.usage.completion_tokens,
                    tokens_per_s=attempt.tokens_per_s,
                    streamed=attempt.streamed,
                    error=attempt.error,
                    message=attempt.message,
                    confidence=entry.confidence if last else None,
                    signals=(entry.signals or {}) if last else {},
                    chosen=last and entry.answer is not None and entry.answer is answer,
                    answer=self._text(entry) if last else None,
                )

    def _text(self, entry: Tried) -> str | None:
        return entry.answer.text if self._keep_texts and entry.answer is not None else None


def version(predictor: Predictor | None) -> str:
    """What tells a predictor from others in the history: when it was made, and of which data."""
    if predictor is None:
        return ""
    training = predictor.info.get("training") or {}
    return f"{predictor.info.get('created', '')} {training.get('data_fingerprint', '')}".strip()
