"""Who takes part in an ensemble, and with which request: those that answer, those that refine, and the last step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from turnout.execution.asked import Asked
from turnout.execution.course import Course
from turnout.execution.ensemble_account import Member
from turnout.execution.ensemble_prompts import improved
from turnout.types import Completion, Request

LEAST_TEMPERATURE: Final = 0.7
"""One candidate that answers several times needs some freedom to answer differently; Wang et al. ("Self-Consistency
Improves Chain of Thought Reasoning in Language Models", 2023) sample at .5 to .7."""

_SEEDS: Final = 2**31


def several(course: Course) -> list[Member]:
    """As many members as answers are wanted, over the candidates in turn; one that comes up again gets its own seed."""
    asked, ensemble = course.asked, course.ensemble
    if asked.candidate or not ensemble.candidates:
        names = tuple(entry.candidate for entry in course.decision.ranking)
    else:
        names = course.meant(ensemble.candidates)
    speakers = [names[place % len(names)] for place in range(ensemble.answers if names else 0)]
    often = Counter(speakers)
    seen: Counter[str] = Counter()
    members = []
    for speaker in speakers:
        own = _freed(asked, seen[speaker]) if often[speaker] > 1 else asked
        members.append(course.pinned(own, speaker))
        seen[speaker] += 1
    return members


def _freed(asked: Asked, number: int) -> Asked:
    """The request for one of several answers by one candidate."""
    sampling = asked.request.sampling
    temperature = max(LEAST_TEMPERATURE, sampling.temperature or 0.0)
    seed = ((sampling.seed or 0) + number) % _SEEDS
    freed = replace(sampling, temperature=temperature, seed=seed)
    return replace(asked, request=replace(asked.request, sampling=freed))


def one_each(course: Course) -> list[str]:
    """Who drafts and who refines: for each name the best candidate it means that is not there yet."""
    if course.asked.candidate:
        return [course.asked.candidate]
    names: list[str] = []
    for target in course.ensemble.candidates:
        names += [name for name in course.meant([target]) if name not in names][:1]
    return names


def to_refine(asked: Asked, draft: Completion) -> Asked:
    """The request to improve a draft."""
    return replace(asked, request=improved(asked.request, draft.answer))


def planned(course: Course, members: Sequence[Member]) -> Member | None:
    """The last step as far as it can be told before the answers are there, where time or money have to be kept for it."""
    limited = course.left_s is not None or course.ensemble.budget_usd is not None
    return last_step(course, Request(course.asked.request.messages)) if limited and len(members) > 1 else None


def last_step(course: Course, request: Request, voice: str = "") -> Member | None:
    """The judge with this request: the named one, else the caller's own candidate, else whom the router chooses, for
    quality where the caller prefers nothing. Asked afresh: answers that are merely similar must not share a verdict."""
    asked = replace(
        course.asked,
        request=request,
        candidate="",
        voice=voice,
        preference="quality" if course.asked.preference is None else course.asked.preference,
        use_cache=False,
    )
    return course.member(asked, course.ensemble.judge or course.asked.candidate)
