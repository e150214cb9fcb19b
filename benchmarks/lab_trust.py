"""The confidence of answers with real log-probabilities, and what escalating the least trusted ones recovers.

The confidence model is fitted by `learning.confidence_fit` on the signals that the history keeps, as a retraining does,
and stands beside the unfitted one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from lab_rows import Judged, Life, Logged
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from turnout.execution.judging import DEFAULT_CONFIDENCE, ConfidenceModel, Signals
from turnout.features import extract
from turnout.learning.challenge import JUDGED_SHARE
from turnout.learning.confidence_fit import fit_confidence
from turnout.predictor import load

Array = NDArray[np.float64]

ORDERS: Final = ("by confidence", "by expected gain")
TRUSTS: Final = ("fitted", "unfitted", "smallest log-probability", "prior alone")


def doubts(life: Life, fitted: Array) -> dict[str, Array]:
    """By each order of escalation, who comes last: what `recovered` takes as trust, (n,).

    Turnout escalates the least trusted answers. The other order asks what a second answer would gain: it leaves alone
    what the strong candidate is not expected to get right either.
    """
    hope = np.array([row.p_success[life.candidates[-1]] for row in life.judged])
    return {"by confidence": fitted, "by expected gain": -(1.0 - fitted) * hope}


def trusts(life: Life) -> dict[str, Array]:
    """By each measure, how far the fast candidate's answers to the judged prompts are trusted, (n,)."""
    fast = life.candidates[0]
    answers = [row.replies[fast] for row in life.judged]
    vectors = np.array([vector(answer.signals) for answer in answers])
    priors = np.array([row.p_success[fast] for row in life.judged])
    fitted = fit(life.logged, life.champion)
    return {
        "fitted": fitted.predict(vectors, priors),
        "unfitted": DEFAULT_CONFIDENCE.predict(vectors, priors),
        "smallest log-probability": np.array([min(answer.logprobs, default=0.0) for answer in answers]),
        "prior alone": priors,
    }


def fit(logged: Sequence[Logged], champion: Path) -> ConfidenceModel:
    """The confidence model of a history, all candidates' answers together as one model judges all.

    It is fitted on the newest requests alone, those on which the champion was judged: of what it was trained on, its
    chances are better than they will ever be again, and the model would trust them too much.
    """
    predictor = load(champion)
    logged = logged[-round(JUDGED_SHARE * len(logged)) :]
    place = {name: number for number, name in enumerate(predictor.candidates)}
    priors = [float(predictor.predict(extract(row.task.prompt)).p_success[place[row.candidate]]) for row in logged]
    return fit_confidence(
        np.array([vector(row.reply.signals) for row in logged]),
        np.array(priors),
        np.array([row.reply.right for row in logged]),
        groups=[row.task.group for row in logged],
    )


def vector(signals: Mapping[str, Any]) -> Array:
    """What the confidence model weighs, from the signals as the history keeps them."""
    return Signals.from_json(signals).vector()


def auc(trust: Array, right: Array) -> float:
    """The chance that a right answer is trusted more than a wrong one; .5 where all are alike."""
    return float(roc_auc_score(right, trust)) if 0 < right.sum() < len(right) else 0.5


def recovered(trust: Array, fast: Array, strong: Array, shares: Sequence[float]) -> dict[str, Any]:
    """What escalating the least trusted answers from the fast to the strong candidate recovers.

    Args:
        trust: of the fast candidate's answers, (n,).
        fast, strong: 1 where right, (n,).
        shares: of the answers that are escalated.

    Returns:
        For each share: `of_wrong`, the part of the fast one's wrong answers that are right afterwards; `of_recoverable`, the
        same of those that the strong one has right; `possible`, what of the wrong ones nobody could beat at that share.
    """
    order = np.argsort(trust, kind="stable")
    gained = np.concatenate([[0.0], np.cumsum(((1 - fast) * strong)[order])])
    wrong, hopeful = float((1 - fast).sum()), float(gained[-1])
    found = []
    for share in shares:
        count = round(share * len(trust))
        found.append(
            {
                "share": share,
                "of_wrong": _part(gained[count], wrong),
                "of_recoverable": _part(gained[count], hopeful),
                "possible": _part(min(float(count), hopeful), wrong),
                "possible_of_recoverable": _part(min(float(count), hopeful), hopeful),
            }
        )
    return {
        "n": len(trust),
        "wrong": _part(wrong, len(trust)),
        "recoverable": _part(hopeful, wrong),
        "curve": found,
    }


def rights(judged: Sequence[Judged], candidate: str) -> Array:
    """Where a candidate is right, (n,)."""
    return np.array([row.replies[candidate].right for row in judged])


def _part(some: float, whole: float) -> float | None:
    """None where there is nothing to be a part of."""
    return float(some / whole) if whole else None
