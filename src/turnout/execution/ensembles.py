"""Several answers made into one: the best of some, what most agree on, a draft that others refine, voices and their
synthesis."""

from __future__ import annotations

from collections.abc import Hashable
from contextlib import aclosing
from dataclasses import replace

from turnout.config.voices import Ensemble
from turnout.execution.asked import Asked
from turnout.execution.course import Answers, Course, Decides, Pieces, Streams
from turnout.execution.ensemble_account import Member
from turnout.execution.ensemble_members import last_step, one_each, planned, several, to_refine
from turnout.execution.ensemble_prompts import judged, picked, synthesised
from turnout.execution.votes import agreed_confidence, vote
from turnout.types import Chunk, Completion


class Ensembles:
    """Runs ensembles over something that answers single requests.

    Args:
        answer: one completion for a request without an ensemble, with fallback, escalation and caches as ever.
        decide: the decision for such a request; asks nobody.
    """

    def __init__(self, answer: Answers, decide: Decides) -> None:
        self._answer = answer
        self._decide = decide

    async def complete(self, asked: Asked, ensemble: Ensemble, name: str) -> Completion:
        """One completion of all; see `pieces`."""
        async with aclosing(self.pieces(asked, ensemble, name, self._whole)) as pieces:
            async for piece in pieces:
                if isinstance(piece, Completion):
                    return replace(piece, first_token_s=None)
        raise AssertionError("an ensemble ends with a completion or an error")

    async def pieces(self, asked: Asked, ensemble: Ensemble, name: str, stream: Streams) -> Pieces:
        """Chunks, then exactly one completion, last.

        The last step streams where there is one, a synthesis or the last refinement; else the chosen answer comes in
        one piece. Members are asked for whole answers, in the conversation and for the user of the caller.

        Args:
            asked: the request; its deadline, where it has one, is for the whole. A candidate that it names is the only
                one that answers; a voice that it names speaks through all members but the judge.
            ensemble: which kind, who takes part, and the budgets.
            name: of the ensemble, for the reason.
            stream: pieces of one request without an ensemble.

        Raises:
            RequestError: nothing to route, an unknown preference, or no candidate can serve it.
            NoAnswerError: nobody answered in time and within the budget.
            BrokenAnswerError: the last step failed after its first content was handed out.
        """
        course = Course(self._answer, self._decide, ensemble, asked)
        match ensemble.kind:
            case "best_of":
                steps = _best_of(course, name)
            case "majority":
                steps = _majority(course, name)
            case "refine":
                steps = _refine(course, name, stream)
            case "voices":
                steps = _voices(course, name, stream)
        async with aclosing(steps) as pieces:
            async for piece in pieces:
                yield piece

    async def _whole(self, asked: Asked) -> Pieces:
        yield await self._answer(asked)


async def _best_of(course: Course, name: str) -> Pieces:
    members = several(course)
    answers = list((await course.ask(members, then=planned(course, members))).values())
    if not answers:
        raise course.no_answer()
    chosen, how = await _pick(course, answers)
    for piece in _in_one_piece(course, chosen):
        yield piece
    yield course.done(chosen, f"{name}: {how}")


async def _pick(course: Course, answers: list[Completion]) -> tuple[Completion, str]:
    """The answer that the judge picks, the most trusted one where it cannot; and how that came about."""
    alike: dict[Hashable, list[Completion]] = {}
    for completion in answers:
        alike.setdefault((completion.text.strip(), completion.answer.tool_calls), []).append(completion)
    distinct = [max(same, key=_trust) for same in alike.values()]
    trusted = max(distinct, key=_trust)
    if len(distinct) == 1:
        return trusted, "the only answer" if len(answers) == 1 else f"all {len(answers)} answers say the same"
    request, order = judged(course.asked.request, [completion.answer for completion in distinct])
    judge = last_step(course, request)
    verdicts = await course.ask([judge]) if judge is not None else {}
    if verdicts and (choice := picked(verdicts[0].answer, order)) is not None:
        place, why = choice
        told = f"the best of {len(answers)} answers, picked by {verdicts[0].candidate}"
        return distinct[place], f"{told}: {why}" if why else told
    unjudged = f"the judge {verdicts[0].candidate} picked none" if verdicts else "no judge answered"
    return trusted, f"the most trusted of {len(answers)} answers ({trusted.confidence:.0%}), because {unjudged}"


async def _majority(course: Course, name: str) -> Pieces:
    answers = list((await course.ask(several(course))).values())
    if not answers:
        raise course.no_answer()
    found = vote([completion.answer for completion in answers], [completion.confidence for completion in answers])
    agreeing = [answers[place] for place in found.agreeing]
    chosen = max(agreeing, key=_trust)
    mean = sum(completion.confidence for completion in agreeing) / len(agreeing)
    course.account.agreed(chosen.answer, found.agreement)
    for piece in _in_one_piece(course, chosen):
        yield piece
    how = f"{len(agreeing)} of {len(answers)} answers agree"
    yield course.done(chosen, f"{name}: {how}", agreed_confidence(mean, len(agreeing), len(answers)))


async def _refine(course: Course, name: str, stream: Streams) -> Pieces:
    names = one_each(course)
    hands: list[Completion] = []  # the draft, then each refinement of it
    is_out = False
    for place, candidate in enumerate(names, 1):
        if hands and (course.left_s == 0 or hands[-1].answer.tool_calls):
            why = "no time was left" if course.left_s == 0 else "the draft calls tools"
            course.account.leave_out(candidate, "skipped", why)
            continue
        asked = to_refine(course.asked, hands[-1]) if hands else course.asked
        member = course.pinned(asked, candidate)
        answered: Completion | None = None
        if place < len(names):
            then = None if hands else course.pinned(course.asked, names[place])
            answered = (await course.ask([member], then=then)).get(0)
        else:
            async with aclosing(course.stream(member, stream)) as pieces:
                async for piece in pieces:
                    if isinstance(piece, Completion):
                        answered = piece
                    else:
                        yield piece
        if answered is not None and (answered.text.strip() or answered.answer.tool_calls):
            hands.append(answered)
            is_out = place == len(names)
    if not hands:
        raise course.no_answer()
    if not is_out:
        for piece in _in_one_piece(course, hands[-1]):
            yield piece
    refiners = " and ".join(completion.candidate for completion in hands[1:])
    how = f"drafted by {hands[0].candidate}, {f'refined by {refiners}' if refiners else 'not refined'}"
    yield course.done(hands[-1], f"{name}: {how}")


async def _voices(course: Course, name: str, stream: Streams) -> Pieces:
    members = {voice: course.member(replace(course.asked, voice=voice)) for voice in course.ensemble.voices}
    able = {voice: member for voice, member in members.items() if member is not None}
    said = await course.ask(list(able.values()), then=planned(course, list(able.values())))
    answers = {voice: said[place] for place, voice in enumerate(able) if place in said}
    if not answers:
        raise course.no_answer()
    calling = {voice: completion for voice, completion in answers.items() if completion.answer.tool_calls}
    step: Member | None = None
    if len(answers) > 1 and not calling:
        texts = {voice: completion.answer for voice, completion in answers.items()}
        step = last_step(course, synthesised(course.asked.request, texts), voice=course.asked.voice)
    if step is not None:
        async with aclosing(course.stream(step, stream)) as pieces:
            async for piece in pieces:
                if isinstance(piece, Completion):
                    yield course.done(piece, f"{name}: {' and '.join(answers)} in one, written by {piece.candidate}")
                    return
                yield piece
    voice, chosen = max((calling or answers).items(), key=lambda pair: _trust(pair[1]))
    for piece in _in_one_piece(course, chosen):
        yield piece
    yield course.done(chosen, f"{name}: the answer of {voice}, {_alone(len(answers), bool(calling))}")


def _alone(answers: int, calling: bool) -> str:
    """Why one voice stands for all."""
    if calling:
        return "which calls tools"
    return "the only one" if answers == 1 else f"the most trusted of {answers}, because nobody put them together"


def _in_one_piece(course: Course, completion: Completion) -> list[Chunk]:
    chunk = completion.answer.chunk
    course.note(chunk)
    return [chunk] if chunk.has_content else []


def _trust(completion: Completion) -> float:
    return completion.confidence
