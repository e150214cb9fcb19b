"""What came of each request, written into the history."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from turnout.execution.served import Served
from turnout.features import schema_hash
from turnout.history import History, OutcomeRecord, new_id
from turnout.history.direct import Attempted, Decided, Recordable
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

    def served(self, news: Served) -> None:
        """Record the decision, every attempt, and what an escalation tells of two answers."""
        decision = news.decision
        if decision is None:
            return  # a cache answered, or nothing could be decided: there is nothing to learn from
        hints = news.asked.hints
        entries: list[Recordable] = [
            Decided(
                decision,
                news.id,
                news.started_at,
                conversation=hints.conversation,
                user=hints.user,
                predictor=version(decision.predictor),
                prompt=news.asked.request.prompt,
                features_schema=schema_hash(),
            )
        ]
        entries += self._attempts(news, news.completion.answer if news.completion is not None else None)
        judged = [entry for entry in news.tried if entry.answer is not None and entry.confidence is not None]
        if len(judged) > 1:
            entries += [
                OutcomeRecord(
                    decision_id=news.id,
                    candidate=entry.candidate,
                    source="escalation",
                    score=entry.confidence or 0.0,
                    weight=ESCALATION_WEIGHT,
                )
                for entry in judged
            ]
        self._history.record_all(entries)

    def _attempts(self, news: Served, answer: Answer | None) -> Iterator[Attempted]:
        number = 0
        for entry in news.tried:
            for attempt in entry.attempts:
                number += 1
                last = attempt is entry.attempts[-1] and not attempt.error
                yield Attempted(
                    attempt,
                    new_id(),
                    news.id,
                    number,
                    entry.role,
                    confidence=entry.confidence if last else None,
                    signals=_seen(entry.signals) if last and entry.signals else {},
                    chosen=last and entry.answer is not None and entry.answer is answer,
                    answer=self._text(entry) if last else None,
                )

    def _text(self, entry: Tried) -> str | None:
        return entry.answer.text if self._keep_texts and entry.answer is not None else None


def _seen(signals: Mapping[str, float | bool | None]) -> dict[str, float | bool]:
    """Most signals are None, as most answers show little; absent says the same."""
    return {name: value for name, value in signals.items() if value is not None}


def version(predictor: Predictor | None) -> str:
    """What tells a predictor from others in the history: when it was made, and of which data."""
    if predictor is None:
        return ""
    training = predictor.info.get("training") or {}
    return f"{predictor.info.get('created', '')} {training.get('data_fingerprint', '')}".strip()
