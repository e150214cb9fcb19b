"""Why a candidate answered in the end, in one sentence that a person reads."""

from __future__ import annotations

from collections.abc import Sequence

from turnout.types import Decision, Tried


def why(best: Tried, tried: Sequence[Tried], decision: Decision, threshold: float) -> str:
    """The reason of the decision, then what became of those who were asked beside the one whose answer is handed out."""
    told = [decision.reason]
    for entry in tried:
        if entry is best:
            continue
        if entry.error == "overtaken":
            told.append(f"{entry.candidate} was slower")
        elif entry.error:
            told.append(f"{entry.candidate} failed ({entry.error})")
        elif entry.role == "escalation":
            told.append(f"{entry.candidate} was asked too and did no better ({entry.confidence or 0:.0%} sure)")
        else:
            told.append(
                f"the answer of {entry.candidate} was not trusted ({entry.confidence or 0:.0%}, under {threshold:.0%})"
            )
    return "; then ".join(told)
