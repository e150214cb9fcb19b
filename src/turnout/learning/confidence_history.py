"""What the confidence model is fitted to: the answers of a history whose score is known, as they were judged at the time.

An answer's prior is the chance that the decision's ranking gave its candidate before anybody had seen the answer, so that
no predictor is asked about what it was trained on. Its score is what learning makes of all outcomes and feedback, without
what was made of the same signals: a confidence, two of them compared by an escalation, and the verdicts on an answer's own
form. They would teach the model that it is right. Every answer counts alike, however much its score weighs.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, NamedTuple

import numpy as np

from turnout.execution.judging import DEFAULT_CONFIDENCE, SIGNAL_NAMES, ConfidenceModel, Signals
from turnout.execution.verifying.structure import structure_verdicts
from turnout.history.batches import Batch
from turnout.learning.confidence_fit import MIN_ROWS, fit_confidence
from turnout.learning.history_cells import ByCandidate, Heard
from turnout.learning.labels import CONFIDENCE, Label, Signal, source_weights

MAX_ANSWERS: Final = 20_000
"""The newest that are kept, in some 30 MB. A few thousand settle as many weights as there are signals; older answers are
often those of language models that are gone."""

_CIRCULAR: Final = {CONFIDENCE: 0.0, "escalation": 0.0}


class _Answer(NamedTuple):
    """One row of the fit: what was seen, what was expected, how good it was, and whom it must not be parted from."""

    signals: Mapping[str, Any]
    prior: float
    score: float
    group: str


class ConfidenceHistory:
    """Collects the newest answers from batches that come oldest first.

    Args:
        weights: of sources, see `labels.source_weights`.
        most: the answers that are kept.
    """

    def __init__(self, weights: Mapping[str, float], most: int = MAX_ANSWERS) -> None:
        self._weights = source_weights({**weights, **_CIRCULAR})
        self._newest: deque[_Answer] = deque(maxlen=most)

    def __len__(self) -> int:
        return len(self._newest)

    def take(self, batch: Batch, heard: Mapping[str, ByCandidate]) -> None:
        """Take in the answers of a batch, with what `history_cells.heard_in` made of it."""
        judged = defaultdict(list)
        for attempt in batch.attempts:
            if attempt.candidate and not attempt.error and isinstance(attempt.signals, Mapping) and attempt.signals:
                judged[attempt.decision_id].append(attempt)
        for decision in batch.decisions:
            for attempt in judged.get(decision.id, ()):
                prior = _prior(decision.ranking, attempt.candidate)
                label = self._label(heard[decision.id][attempt.candidate], attempt.signals)
                if prior is not None and label is not None:
                    group = decision.conversation or decision.prompt_hash or decision.id
                    self._newest.append(_Answer(attempt.signals, prior, label.score, group))

    def fit(self) -> ConfidenceModel:
        """The model of these answers, or the default where it is not better; see `fit_confidence`."""
        rows = list(self._newest)
        return fit_confidence(
            np.array([Signals.from_json(row.signals).row() for row in rows], np.float64).reshape(-1, len(SIGNAL_NAMES)),
            np.array([row.prior for row in rows]),
            np.array([row.score for row in rows]),
            groups=[row.group for row in rows],
        )

    def _label(self, heard: Heard, signals: Mapping[str, Any]) -> Label | None:
        """What is known of an answer from elsewhere than its own form."""
        others = list(heard.signals)
        for verdict in structure_verdicts(signals):
            own = Signal("verifier", verdict.score, verdict.weight)
            if own in others:
                others.remove(own)
        return replace(heard, signals=others).label(self._weights)


def is_fitted(model: ConfidenceModel) -> bool:
    """Whether the model is another one than the default."""
    return model.fitted != DEFAULT_CONFIDENCE.fitted


def told(model: ConfidenceModel) -> str:
    """What came of a fit, in one sentence."""
    figures = model.figures
    rows = int(figures["rows"])
    if not figures["held_out"]:
        return (
            f"the default stays, because {rows:,} answers have signals and a known score; needed are {MIN_ROWS}, "
            "of more than one conversation or prompt"
        )
    losses = f"log loss {figures['log_loss']:.3f} (default {figures['default_log_loss']:.3f})"
    if is_fitted(model):
        return f"fitted to {rows:,} answers, {losses}"
    return f"the default stays, because a fit to {rows:,} answers is not surely better on unseen ones: {losses}"


def _prior(ranking: Any, candidate: str) -> float | None:
    """The chance that a candidate was given; None where the ranking does not have it."""
    return next((entry.get("p_success") for entry in ranking or () if entry["candidate"] == candidate), None)
