"""What a caller, a voice or a user's feedback wishes of a decision that rules and limits have already been heard on.

A wish moves candidates inside the ranking, never into it: whoever was excluded stays out, and says why.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Final

from turnout.errors import NoCandidateError
from turnout.types import DecidedBy, Decision, Excluded, Ranked

_BY_WORTH: Final[frozenset[DecidedBy]] = frozenset({"utility", "ruled"})
"""What utility decided may be shifted; what a rule, a conversation, caution or the lack of others decided stands."""


def pin(decision: Decision, candidate: str) -> Decision:
    """The decision when only this candidate may answer.

    Raises:
        NoCandidateError: it cannot serve the request, with the reason.
    """
    chosen = next((entry for entry in decision.ranking if entry.candidate == candidate), None)
    if chosen is None:
        known = [entry.candidate for entry in decision.ranking]
        reason = next((entry.reason for entry in decision.excluded if entry.candidate == candidate), "")
        raise NoCandidateError({candidate: reason or f"no such candidate; there are {', '.join(known)}"})
    others = tuple(
        Excluded(entry.candidate, f"{candidate} was asked for") for entry in decision.ranking if entry is not chosen
    )
    return replace(
        decision,
        candidate=candidate,
        confidence=chosen.p_success,
        reason="asked for by name",
        ranking=(chosen,),
        excluded=(*decision.excluded, *others),
        decided_by="force",
    )


def like(decision: Decision, targets: Sequence[str], who: str) -> Decision:
    """The decision when some are liked best, in this order; targets are candidates, providers or patterns.

    A candidate that a rule forces, and one that nobody of these could replace, stays first.
    """
    if decision.decided_by in ("force", "only"):
        return decision
    liked = [entry for target in targets for entry in decision.ranking if is_meant(entry.candidate, target)]
    ranking = tuple(dict.fromkeys([*liked, *decision.ranking]))
    if not liked:
        return decision
    return replace(_reordered(decision, ranking, f"{who} likes {ranking[0].candidate} best"), decided_by="prefer")


def shift(decision: Decision, offsets: Mapping[str, float]) -> Decision:
    """The decision when a user's feedback speaks for or against candidates: `offsets` are added to utilities."""
    if not offsets or decision.decided_by not in _BY_WORTH:
        return decision
    moved = [replace(entry, utility=entry.utility + offsets.get(entry.candidate, 0.0)) for entry in decision.ranking]
    moved.sort(key=lambda entry: -entry.utility)
    first = moved[0].candidate
    told = f"this user's feedback speaks for {first}" if first != decision.candidate else ""
    return _reordered(decision, tuple(moved), told)


def _reordered(decision: Decision, ranking: tuple[Ranked, ...], told: str) -> Decision:
    first = ranking[0]
    return replace(
        decision,
        candidate=first.candidate,
        confidence=first.p_success,
        reason=told if told and first.candidate != decision.candidate else decision.reason,
        ranking=ranking,
    )


def is_meant(candidate: str, target: str) -> bool:
    """Whether a target, a candidate, a provider or a pattern, means this candidate."""
    provider = candidate.partition("/")[0]
    return target in (candidate, provider) or fnmatchcase(candidate, target)
