"""What a batch of the history says of each candidate on each decision: score, weight, and seconds that were measured."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from turnout.history.batches import Batch
from turnout.learning.labels import (
    Label,
    Signal,
    combined,
    confidence_signal,
    failure_signal,
    feedback_signal,
    outcome_signal,
)


@dataclass(slots=True)
class Heard:
    """Of one candidate on one decision. `answered_s` is None where it gave no answer, or nobody knows how long it took;
    `answer_tokens` likewise.

    An answer takes from its slot to its end: how long it waited and was loaded says nothing of candidate and prompt.
    """

    signals: list[Signal] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    confidence: float | None = None
    answered: bool = False
    answered_s: float | None = None
    answer_tokens: float | None = None

    def label(self, weights: Mapping[str, float]) -> Label | None:
        """All signals as one; a failure counts once, and only where the candidate did not answer after all."""
        signals = self.signals
        if self.errors and not self.answered:
            failures = filter(None, map(failure_signal, self.errors))
            signals = [*signals, *list(failures)[:1]]
        if self.confidence is not None and (guess := confidence_signal(self.confidence)) is not None:
            signals = [*signals, guess]
        return combined(signals, weights) if signals else None


ByCandidate: TypeAlias = dict[str, Heard]


def heard_in(batch: Batch) -> Mapping[str, ByCandidate]:
    """What is known by decision and candidate.

    Feedback is about the answer that was handed out. It is kept twice, as it was said and as an outcome; the former counts
    where the latter is not there (a history that was brought in from elsewhere).
    """
    found: defaultdict[str, defaultdict[str, Heard]] = defaultdict(lambda: defaultdict(Heard))
    handed_out: dict[str, str] = {row.id: row.candidate for row in batch.decisions}
    for row in batch.attempts:
        if row.candidate:
            _attempt(found[row.decision_id][row.candidate], row)
            if row.chosen:
                handed_out[row.decision_id] = row.candidate
    rated = set()
    for row in batch.outcomes:
        signal = outcome_signal(row.source, row.score, row.weight)
        if signal is not None and row.candidate:
            found[row.decision_id][row.candidate].signals.append(signal)
            if row.source == "feedback":
                rated.add(row.decision_id)
    for row in batch.feedback:
        candidate = handed_out.get(row.decision_id)
        if candidate and row.decision_id not in rated and (signal := feedback_signal(row.kind, row.value)) is not None:
            found[row.decision_id][candidate].signals.append(signal)
    return found


def _attempt(heard: Heard, row: Any) -> None:
    if row.error:
        heard.errors.append(row.error)
        return
    heard.answered = True
    heard.confidence = row.confidence
    heard.answer_tokens = row.completion_tokens or None
    if row.total_s is not None:
        answered_s = row.total_s - (row.queue_s or 0.0) - (row.load_s or 0.0)
        heard.answered_s = answered_s if answered_s >= 0.0 else None
