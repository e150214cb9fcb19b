"""Outcomes into labels: everything that is known of one candidate's answer to one request as one score and one weight.

    weight = min(1, sum(w)),  score = sum(w * score) / sum(w),  w = weight of the source * weight of the record

The weights of sources are judgements, not measurements; `outcomes.weights` of the configuration replaces them. Half of
the weight that a label has is half a row of training.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

FAILURE: Final = "failure"
CONFIDENCE: Final = "confidence"

SOURCE_WEIGHTS: Final[Mapping[str, float]] = MappingProxyType(
    {
        "verifier": 1.0,  # a test ran, a schema held
        "feedback": 1.0,  # whoever asked has spoken; its records weigh less where the words are only a hint
        "judge": 0.5,  # the strongest agree with people in 4 of 5 comparisons (Zheng et al. 2023, MT-Bench)
        "escalation": 1.0,  # its records carry .3 already, see `execution.recorder`
        FAILURE: 0.2,  # time limits and broken answers are as much the machine's doing as the prompt's
        CONFIDENCE: 0.0,
    }
)
"""How much each source counts, from 0 to 1; one that is not named here counts as `OTHER_WEIGHT`.

Confidence is off. It is made of the predictor's own probability and a few signals, so that to learn from it is to learn
"good" from "we picked it". Where there is nothing else, .1 is as much as it can bear.
"""

OTHER_WEIGHT: Final = 1.0
"""Whoever writes outcomes under a name of their own says in each record what it is worth."""

FAILURES: Final = frozenset({"timeout", "incomplete", "internal", "context_overflow"})
"""Codes of errors for which a candidate gets a score of 0: it was too slow for this request, its answer broke off, it
failed inside, or the request was too long for it.

All others say nothing of how it answers: an outage (`unreachable`, `authentication`), somebody else's turn (`busy`,
`queue_full`, `circuit_open`), the machine's memory (`load_failed`, `not_loaded`), a name that nobody has (`not_found`,
`wrong_model`), what the provider cannot do at all (`bad_request`), a caller who left (`cancelled`), a faster one
(`overtaken`). `providers.blame` asks something else, whom to leave alone for a while; there an overflow is nobody's fault.
"""

_FEEDBACK: Final = {"good": (1.0, 1.0), "bad": (0.0, 1.0), "regenerate": (0.2, 0.4)}
"""Score and weight of what users say without a number; as `execution.opinions` writes them into outcomes."""

_WITH_VALUE: Final = ("score", "edit_kept")


class Signal(NamedTuple):
    """One thing that is known: from whom, a score from 0 to 1, and the weight of its record, above 0 and at most 1."""

    source: str
    score: float
    weight: float


class Label(NamedTuple):
    """All of it together: score from 0 to 1, weight above 0 and at most 1."""

    score: float
    weight: float


def outcome_signal(source: str | None, score: float | None, weight: float | None) -> Signal | None:
    """A row of `outcomes`; None where it holds no score from 0 to 1 or weighs nothing. No weight is a full one."""
    weight = 1.0 if weight is None else weight
    if score is None or not 0.0 <= score <= 1.0 or not weight > 0.0:
        return None
    return Signal(source or "", score, min(1.0, weight))


def feedback_signal(kind: str | None, value: float | None) -> Signal | None:
    """A row of `feedback`; None for what is no opinion of the answer (too slow, another one chosen) or out of range."""
    if kind in _WITH_VALUE:
        return outcome_signal("feedback", value, None)
    found = _FEEDBACK.get(kind or "")
    return None if found is None else Signal("feedback", *found)


def failure_signal(error: str | None) -> Signal | None:
    """An attempt that failed; None where that is not the candidate's doing."""
    return Signal(FAILURE, 0.0, 1.0) if error in FAILURES else None


def confidence_signal(confidence: float | None) -> Signal | None:
    """An answer's confidence as it was judged then."""
    return outcome_signal(CONFIDENCE, confidence, None)


def combined(signals: Iterable[Signal], weights: Mapping[str, float] = SOURCE_WEIGHTS) -> Label | None:
    """One label of all signals of one candidate for one decision; None where none of them counts.

    A confidence counts where nothing else is known. The order of signals makes no difference.

    Args:
        signals: any number.
        weights: of sources, each finite and 0 or more; see `source_weights`.
    """
    known: list[tuple[float, float]] = []
    guessed: list[tuple[float, float]] = []
    for signal in signals:
        weight = signal.weight * weights.get(signal.source, OTHER_WEIGHT)
        if weight > 0.0:
            (guessed if signal.source == CONFIDENCE else known).append((weight, signal.score))
    counted = known or guessed
    if not counted:
        return None
    if len(counted) == 1:
        return Label(counted[0][1], min(1.0, counted[0][0]))
    total = math.fsum(weight for weight, _ in counted)
    # Divided first: products of tiny weights vanish.
    mean = math.fsum(weight / total * score for weight, score in counted)
    scores = [score for _, score in counted]
    return Label(min(max(mean, min(scores)), max(scores)), min(1.0, total))


def source_weights(configured: Mapping[str, float]) -> Mapping[str, float]:
    """The weights of sources under a configuration: those above, and what it says instead."""
    return MappingProxyType({**SOURCE_WEIGHTS, **configured})
