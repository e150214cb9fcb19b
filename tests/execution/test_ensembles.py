"""Several answers made into one, over candidates that say what they are told to: who is asked, who is heard, what is paid."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from typing import Any

import pytest
from tests.execution.fakes import TASK
from tests.providers.fakes import ticks

from turnout.config.voices import Ensemble
from turnout.errors import (
    BrokenAnswerError,
    InternalError,
    NoAnswerError,
    NoCandidateError,
    RequestError,
    TurnoutError,
)
from turnout.execution.asked import Asked
from turnout.execution.ensemble_prompts import IMPROVE, JUDGE, SYNTHESISE
from turnout.execution.ensembles import Ensembles
from turnout.types import (
    Answer,
    Chunk,
    Completion,
    Decision,
    Excluded,
    JsonSchema,
    Message,
    Ranked,
    Sampling,
    ToolCall,
    Tried,
)

pytestmark = pytest.mark.anyio

Said = str | Answer | TurnoutError | asyncio.Event | Callable[[Asked], "str | Answer"]

SMALL, MIDDLE, LARGE, CLOUD = "lms/small", "lms/middle", "ollama/large", "cloud/huge"
NAMES = (SMALL, MIDDLE, LARGE, CLOUD)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class World:
    """Answers for each candidate in turn (the last one for ever), with a confidence; writes down what it was asked."""

    def __init__(self, *names: str, **said: Any) -> None:
        self.names = names or NAMES
        self.said: dict[str, list[Said]] = {}
        self.confidence: dict[str, float] = {}
        self.cost_usd: dict[str, float] = {}
        self.expected_s: dict[str, float] = {}
        self.excluded: dict[str, str] = {}
        self.asked: list[tuple[str, Asked]] = []
        self.running = self.most_running = 0
        self.stopped: list[str] = []
        self.closed: list[str] = []

    def says(self, candidate: str, *said: Said, confidence: float = 0.8) -> World:
        self.said[candidate] = list(said)
        self.confidence[candidate] = confidence
        return self

    def decide(self, asked: Asked) -> Decision:
        assert not asked.ensemble, "members never call ensembles again"
        if not asked.request.prompt.strip():
            raise RequestError("the prompt is empty")
        ranking = tuple(
            Ranked(name, 0.9, self.expected_s.get(name, 1.0), self.cost_usd.get(name), 0.5)
            for name in self.names
            if name not in self.excluded and asked.candidate in ("", name)
        )
        if not ranking:
            raise NoCandidateError({asked.candidate: self.excluded.get(asked.candidate, "no such candidate")})
        out = tuple(Excluded(name, reason) for name, reason in self.excluded.items())
        return Decision(ranking[0].candidate, 0.9, "the best", ranking, TASK, excluded=out)

    async def answer(self, asked: Asked) -> Completion:
        decision = self.decide(asked)
        name = decision.candidate
        self.asked.append((name, asked))
        identifier = f"d{len(self.asked)}"
        said = self.said.get(name, ["fine"])
        text = said.pop(0) if len(said) > 1 else said[0]
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            await asyncio.sleep(0)
            if isinstance(text, asyncio.Event):
                await text.wait()
                text = "late"
            if isinstance(text, TurnoutError):
                raise text
            made = text(asked) if callable(text) else text
        except asyncio.CancelledError:
            self.stopped.append(name)
            raise
        finally:
            self.running -= 1
        answer = made if isinstance(made, Answer) else Answer(name, name, made)
        confidence = self.confidence.get(name, 0.8)
        tried = Tried(candidate=name, role="first", answer=answer, confidence=confidence, signals={"end": True})
        return Completion(
            id=identifier,
            answer=answer,
            decision=decision,
            confidence=confidence,
            reason="the best",
            tried=(tried,),
            threshold=0.7,
        )

    async def stream(self, asked: Asked) -> AsyncGenerator[Chunk | Completion, None]:
        """Word by word; a text that ends with ! breaks after its last word."""
        name = self.decide(asked).candidate
        try:
            completion = await self.answer(asked)
            for word in re.findall(r"\S+\s*", completion.text):
                yield Chunk(word)
            if completion.text.endswith("!"):
                raise BrokenAnswerError(InternalError("it broke"), partial_text=completion.text)
            yield completion
        finally:
            self.closed.append(name)

    async def complete(self, ensemble: Ensemble, asked: Asked | None = None, name: str = "council") -> Completion:
        made = await Ensembles(self.answer, self.decide).complete(asked or Asked.of("why?"), ensemble, name)
        assert self.running == 0
        return made

    async def streamed(self, ensemble: Ensemble, asked: Asked | None = None) -> tuple[list[str], Completion]:
        texts, completion = [], None
        pieces = Ensembles(self.answer, self.decide).pieces(asked or Asked.of("why?"), ensemble, "council", self.stream)
        async for piece in pieces:
            assert completion is None, "the completion is last"
            if isinstance(piece, Chunk):
                texts.append(piece.text)
            else:
                completion = piece
        assert completion is not None
        return texts, completion

    @property
    def candidates(self) -> list[str]:
        return [name for name, _ in self.asked]


def picks(number: int, why: str = "it is right") -> Callable[[Asked], str]:
    return lambda _: json.dumps({"best": number, "why": why})


def picks_text(text: str) -> Callable[[Asked], str]:
    """A judge that finds the answer with this text, wherever it stands."""

    def judge(asked: Asked) -> str:
        found = re.search(rf"<answer number (\d+)>\n{re.escape(text)}\n", asked.request.prompt)
        assert found is not None
        return json.dumps({"best": int(found[1]), "why": "it is right"})

    return judge


BEST = Ensemble(kind="best_of", candidates=(SMALL, MIDDLE, LARGE), judge=CLOUD, max_parallel=3)
MOST = Ensemble(kind="majority", candidates=(SMALL, MIDDLE, LARGE), max_parallel=3)
REFINE = Ensemble(kind="refine", candidates=(SMALL, LARGE))
VOICES = Ensemble(kind="voices", voices=("explorer", "security", "developer"), judge=CLOUD, max_parallel=3)


# Best of several


async def test_the_judge_picks_the_best_answer() -> None:
    world = (
        World()
        .says(SMALL, "one")
        .says(MIDDLE, "two", confidence=0.4)
        .says(LARGE, "three")
        .says(CLOUD, picks_text("two"))
    )
    completion = await world.complete(BEST)
    assert (completion.text, completion.candidate, completion.confidence) == ("two", MIDDLE, 0.4)
    assert completion.reason == f"council: the best of 3 answers, picked by {CLOUD}: it is right"
    assert completion.id == "d2", "feedback goes to the decision whose answer was chosen"


async def test_everyone_who_was_asked_is_told_as_part_of_the_ensemble() -> None:
    world = World().says(SMALL, "one").says(MIDDLE, InternalError("it fell")).says(LARGE, "three").says(CLOUD, picks(1))
    completion = await world.complete(BEST)
    assert {entry.role for entry in completion.tried} == {"ensemble"}
    assert sorted((entry.candidate, entry.error) for entry in completion.tried) == [
        (CLOUD, ""),
        (MIDDLE, "internal"),
        (SMALL, ""),
        (LARGE, ""),
    ]
    assert f"{MIDDLE} failed (internal)" in completion.reason
    assert completion.total_s > 0 and completion.first_token_s is None and completion.threshold == 0.7


@pytest.mark.parametrize(
    "nonsense",
    [
        *(
            "",
            "2",
            "the second",
            '{"best": 4}',
            '{"best": 0}',
            '{"best": true}',
            '{"best": "1"}',
            '{"best": 1.0}',
            "{" * 9999,
        ),
        InternalError("it fell"),
    ],
    ids=repr,
)
async def test_a_judge_without_a_usable_choice_leaves_the_most_trusted_answer(nonsense: Said) -> None:
    world = World().says(SMALL, "one", confidence=0.5).says(MIDDLE, "two", confidence=0.9).says(LARGE, "three")
    completion = await world.says(CLOUD, nonsense).complete(BEST)
    assert completion.text == "two"
    assert "the most trusted of 3 answers (90%), because" in completion.reason


async def test_a_judge_that_cannot_serve_leaves_the_most_trusted_answer() -> None:
    world = World().says(SMALL, "one").says(MIDDLE, "two", confidence=0.9)
    world.excluded[CLOUD] = "its breaker is open"
    completion = await world.complete(BEST)
    assert completion.text == "two"
    assert (
        "no judge answered" in completion.reason
        and "cloud/huge was not asked (its breaker is open)" in completion.reason
    )


async def test_the_judge_s_words_come_in_fences_and_stay_on_one_line() -> None:
    said = 'Here:\n```json\n{"best": 1, "why": "clear\\r\\nX-Evil: yes\\u0007 ' + "a" * 500 + '"}\n```'
    completion = await World().says(SMALL, "one").says(MIDDLE, "two").says(CLOUD, said).complete(BEST)
    assert completion.reason.isprintable() and len(completion.reason) < 300
    assert "clear X-Evil: yes a" in completion.reason


async def test_the_judge_sees_neither_names_nor_voices_and_answers_afresh() -> None:
    world = World().says(SMALL, "one").says(MIDDLE, "two").says(CLOUD, picks(1))
    asked = Asked.of(
        [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "why?"}],
        voice="writer",
        sampling=Sampling(temperature=1.5, max_tokens=3),
        answer_format="json",
        user="u",
        conversation="c",
        preference="fast",
    )
    await world.complete(BEST, asked)
    name, judge = world.asked[-1]
    assert name == CLOUD and judge.request.messages[0] == Message("system", JUDGE)
    assert not any(candidate in judge.request.prompt for candidate in NAMES)
    assert "Be kind." in judge.request.prompt and "why?" in judge.request.prompt
    assert isinstance(judge.request.answer_format, JsonSchema)
    assert judge.request.sampling == Sampling(temperature=0.0)
    assert (judge.voice, judge.use_cache, judge.preference) == ("", False, "fast")
    assert (judge.hints.user, judge.hints.conversation) == ("u", "c")


async def test_without_a_named_judge_the_router_chooses_one_for_quality() -> None:
    world = World().says(SMALL, "one", picks(1)).says(MIDDLE, "two")
    await world.complete(replace(BEST, judge=None))
    name, judge = world.asked[-1]
    assert (name, judge.candidate, judge.preference) == (SMALL, "", "quality")


async def test_equal_answers_need_no_judge() -> None:
    world = World().says(SMALL, "same ").says(MIDDLE, "same", confidence=0.9).says(LARGE, "same")
    completion = await world.complete(BEST)
    assert CLOUD not in world.candidates and completion.candidate == MIDDLE
    assert completion.reason == "council: all 3 answers say the same"


async def test_one_answer_alone_needs_no_judge() -> None:
    down = InternalError("down")
    world = World().says(SMALL, down).says(MIDDLE, down).says(LARGE, "here")
    completion = await world.complete(BEST)
    assert completion.text == "here" and CLOUD not in world.candidates
    assert completion.reason.startswith("council: the only answer; ")


async def test_nobody_there_is_one_error_that_tells_of_each() -> None:
    world = World()
    for name in NAMES:
        world.says(name, InternalError(f"{name} is down"))
    with pytest.raises(NoAnswerError) as caught:
        await world.complete(BEST)
    assert {failure[:2] for failure in caught.value.failures} == {(name, "internal") for name in (SMALL, MIDDLE, LARGE)}
    assert not caught.value.deadline_passed


async def test_the_attempts_of_a_member_that_gave_up_are_all_told() -> None:
    gave_up = NoAnswerError([(SMALL, "busy", "full"), (LARGE, "timeout", "slow")])
    world = World().says(SMALL, gave_up).says(MIDDLE, "two")
    completion = await world.complete(replace(BEST, candidates=(SMALL, MIDDLE)))
    assert {(entry.candidate, entry.error) for entry in completion.tried if entry.error} == {
        (SMALL, "busy"),
        (LARGE, "timeout"),
    }


async def test_an_error_that_no_candidate_made_is_not_swallowed() -> None:
    def breaks(_: Asked) -> str:
        raise ZeroDivisionError

    world = World().says(SMALL, breaks)
    with pytest.raises(ZeroDivisionError):
        await world.complete(BEST)


# Who is asked


async def test_several_answers_go_round_the_named_candidates() -> None:
    world = World()
    await world.complete(Ensemble(kind="majority", candidates=(SMALL, LARGE), answers=5))
    assert sorted(world.candidates) == sorted([SMALL, LARGE, SMALL, LARGE, SMALL])
    assert all(asked.candidate == name for name, asked in world.asked)


async def test_without_names_they_go_round_the_ranking() -> None:
    world = World()
    await world.complete(Ensemble(kind="majority", answers=3))
    assert world.candidates == [SMALL, MIDDLE, LARGE]


@pytest.mark.parametrize("target", ["lms", "lms/*", "*/[sm]*"])
async def test_a_provider_or_a_pattern_means_all_of_its_candidates(target: str) -> None:
    world = World()
    await world.complete(Ensemble(kind="majority", candidates=(target,), answers=2))
    assert world.candidates == [SMALL, MIDDLE]


async def test_a_candidate_that_the_caller_names_is_the_only_one() -> None:
    world = World().says(LARGE, "a", "b", "c", picks(1))
    await world.complete(replace(BEST, judge=None), Asked.of("why?", candidate=LARGE))
    assert world.candidates == [LARGE] * 4


async def test_one_that_answers_again_gets_room_and_a_seed_of_its_own() -> None:
    world = World()
    await world.complete(Ensemble(kind="majority", candidates=(SMALL, LARGE), answers=3, max_parallel=1))
    drawn = [(name, asked.request.sampling.temperature, asked.request.sampling.seed) for name, asked in world.asked]
    assert drawn == [(SMALL, 0.7, 0), (LARGE, None, None), (SMALL, 0.7, 1)]


async def test_a_higher_temperature_and_a_seed_of_the_caller_stand() -> None:
    world = World()
    asked = Asked.of("why?", sampling=Sampling(temperature=1.1, seed=2**31 - 1, max_tokens=5))
    await world.complete(Ensemble(kind="majority", candidates=(SMALL,), answers=2), asked)
    assert [asked.request.sampling for _, asked in world.asked] == [
        Sampling(temperature=1.1, seed=2**31 - 1, max_tokens=5),
        Sampling(temperature=1.1, seed=0, max_tokens=5),
    ]


async def test_one_of_the_named_that_cannot_serve_is_left_out_and_told() -> None:
    world = World()
    world.excluded[MIDDLE] = "its window is too small"
    completion = await world.complete(MOST)
    assert MIDDLE not in world.candidates
    assert f"{MIDDLE} was not asked (its window is too small)" in completion.reason


async def test_nobody_of_the_named_can_serve() -> None:
    with pytest.raises(NoCandidateError, match="nowhere/none: no such candidate"):
        await World().complete(Ensemble(kind="best_of", candidates=("nowhere/none",)))


async def test_a_request_that_makes_no_sense_is_refused_before_anybody_is_asked() -> None:
    world = World()
    with pytest.raises(RequestError):
        await world.complete(BEST, Asked.of(" "))
    assert not world.asked


async def test_no_more_are_asked_at_once_than_allowed() -> None:
    world = World()
    await world.complete(Ensemble(kind="majority", answers=9, max_parallel=2))
    assert world.most_running == 2 and len(world.asked) == 9


async def test_metadata_comes_back_and_the_ensemble_is_not_asked_again() -> None:
    world = World()
    completion = await world.complete(MOST, Asked.of("why?", ensemble="council", metadata={"ticket": 7}))
    assert completion.metadata == {"ticket": 7}
    assert all(asked.ensemble == "" for _, asked in world.asked)


# Majority


async def test_what_most_say_wins_and_the_share_goes_into_the_confidence() -> None:
    world = World().says(SMALL, "Answer: 18", confidence=0.6).says(MIDDLE, "it is **18**.\n#### 18", confidence=0.8)
    completion = await world.says(LARGE, "19", confidence=0.9).complete(MOST)
    assert completion.candidate == MIDDLE
    assert completion.confidence == pytest.approx((2 - 1 + 2 * 0.7) / (3 - 1 + 2))
    assert completion.reason == "council: 2 of 3 answers agree"
    signals = {entry.candidate: entry.signals for entry in completion.tried}
    assert signals[MIDDLE] == {"end": True, "agreement": pytest.approx(2 / 3)}
    assert signals[LARGE] == {"end": True}


async def test_only_those_who_answered_vote() -> None:
    world = World().says(SMALL, "a").says(MIDDLE, InternalError("down")).says(LARGE, "a")
    completion = await world.complete(MOST)
    assert completion.reason == f"council: 2 of 2 answers agree; {MIDDLE} failed (internal)"


# Refine


async def test_the_first_drafts_and_the_next_ones_improve() -> None:
    world = World().says(SMALL, "draft").says(MIDDLE, "better").says(LARGE, "best", confidence=0.95)
    completion = await world.complete(replace(REFINE, candidates=(SMALL, MIDDLE, LARGE)))
    assert (completion.text, completion.confidence) == ("best", 0.95)
    assert completion.reason == f"council: drafted by {SMALL}, refined by {MIDDLE} and {LARGE}"
    first, second, third = (asked.request.messages for _, asked in world.asked)
    assert [message.content for message in first] == ["why?"]
    assert second == (*first, Message("assistant", "draft"), Message("user", IMPROVE))
    assert third == (*first, Message("assistant", "better"), Message("user", IMPROVE))


@pytest.mark.parametrize("failed", [InternalError("down"), "", "  \n"], ids=repr)
async def test_a_refiner_that_fails_leaves_the_draft(failed: Said) -> None:
    completion = await World().says(SMALL, "draft").says(LARGE, failed).complete(REFINE)
    assert completion.text == "draft"
    assert completion.reason.startswith(f"council: drafted by {SMALL}, not refined")


async def test_where_the_first_fails_the_next_one_drafts() -> None:
    world = World().says(SMALL, InternalError("down")).says(MIDDLE, "draft").says(LARGE, "best")
    completion = await world.complete(replace(REFINE, candidates=(SMALL, MIDDLE, LARGE)))
    assert completion.text == "best"
    assert completion.reason.startswith(f"council: drafted by {MIDDLE}, refined by {LARGE}")


async def test_a_refiner_stands_for_the_best_of_its_provider_that_is_not_there_yet() -> None:
    world = World()
    await world.complete(replace(REFINE, candidates=("lms", "lms", "lms")))
    assert world.candidates == [SMALL, MIDDLE]


async def test_a_draft_that_calls_tools_is_not_refined() -> None:
    call = Answer(SMALL, "small", tool_calls=(ToolCall("1", "look", "{}"),))
    world = World().says(SMALL, call)
    completion = await world.complete(REFINE)
    assert completion.answer is call and world.candidates == [SMALL]


async def test_nobody_drafts() -> None:
    world = World().says(SMALL, InternalError("down")).says(LARGE, InternalError("down"))
    with pytest.raises(NoAnswerError):
        await world.complete(REFINE)


# Voices


async def test_each_voice_answers_and_the_judge_writes_one_answer() -> None:
    world = World().says(SMALL, "a", "b", "c").says(CLOUD, "all in one", confidence=0.9)
    asked = Asked.of("why?", voice="writer", answer_format="json", tools=[{"name": "look"}])
    completion = await world.complete(VOICES, asked)
    assert [asked.voice for _, asked in world.asked] == ["explorer", "security", "developer", "writer"]
    assert (completion.text, completion.confidence) == ("all in one", 0.9)
    assert completion.reason == f"council: explorer and security and developer in one, written by {CLOUD}"
    name, last = world.asked[-1]
    assert name == CLOUD and last.candidate == CLOUD and not last.use_cache
    assert last.request.answer_format == "json" and last.request.tool_choice == "none" and last.request.tools
    for told in ("why?", "<answer by explorer>\na\n</answer>", "<answer by developer>\nc\n</answer>", SYNTHESISE):
        assert told in last.request.prompt


async def test_voices_may_be_routed_each_for_itself() -> None:
    world = World()
    await world.complete(VOICES)
    assert all(asked.candidate == "" for _, asked in world.asked[:-1])


async def test_where_nobody_puts_them_together_the_most_trusted_voice_stands() -> None:
    world = World().says(SMALL, "a", "b", "c").says(CLOUD, InternalError("down"))
    completion = await world.complete(VOICES)
    assert completion.text in "abc"
    assert "the most trusted of 3, because nobody put them together" in completion.reason


async def test_one_voice_alone_is_the_answer() -> None:
    world = World().says(SMALL, InternalError("down"), InternalError("down"), "c")
    completion = await world.complete(VOICES)
    assert completion.reason.startswith("council: the answer of developer, the only one")
    assert CLOUD not in world.candidates


async def test_a_voice_that_calls_tools_is_not_put_together_with_others() -> None:
    call = Answer(SMALL, "small", tool_calls=(ToolCall("1", "look", "{}"),))
    completion = await World().says(SMALL, "a", call, "c").complete(VOICES)
    assert completion.answer is call
    assert completion.reason == "council: the answer of security, which calls tools"


# Money


async def test_members_over_the_budget_are_not_asked_and_it_says_so() -> None:
    world = World().says(SMALL, "a").says(MIDDLE, "a")
    world.cost_usd = {SMALL: 0.01, MIDDLE: 0.01, LARGE: 0.05}
    completion = await world.complete(replace(MOST, budget_usd=0.03))
    assert sorted(world.candidates) == [MIDDLE, SMALL]
    assert f"{LARGE} was not asked (it would cost about 0.05 US dollars, 0.01 are left)" in completion.reason


async def test_money_is_kept_for_the_judge() -> None:
    world = World().says(SMALL, "one").says(MIDDLE, "two").says(CLOUD, picks(1))
    world.cost_usd = {SMALL: 0.01, MIDDLE: 0.01, LARGE: 0.01, CLOUD: 0.02}
    completion = await world.complete(replace(BEST, budget_usd=0.04))
    assert sorted(world.candidates) == sorted([SMALL, MIDDLE, CLOUD])
    assert f"picked by {CLOUD}" in completion.reason


async def test_the_budget_counts_those_who_run_side_by_side() -> None:
    world = World()
    world.cost_usd = dict.fromkeys(NAMES, 0.1)
    await world.complete(Ensemble(kind="majority", answers=8, max_parallel=8, budget_usd=0.25))
    assert len(world.asked) == 2


async def test_what_an_escalation_cost_counts_too() -> None:
    world = World()
    world.cost_usd = dict.fromkeys(NAMES, 0.1)
    answer = world.answer

    async def escalated(asked: Asked) -> Completion:
        completion = await answer(replace(asked, candidate=""))
        again = Tried(candidate=LARGE, role="escalation")
        return replace(completion, tried=(*completion.tried, again, again))

    ensembles = Ensembles(escalated, world.decide)
    ensemble = Ensemble(kind="majority", answers=4, max_parallel=1, budget_usd=0.45)
    await ensembles.complete(Asked.of("why?"), ensemble, "council")
    assert len(world.asked) == 2, "two times three attempts of .1 are more than .45"


async def test_an_answer_out_of_a_cache_costs_nothing() -> None:
    world = World()
    world.cost_usd = dict.fromkeys(NAMES, 0.1)

    async def remembered(asked: Asked) -> Completion:
        return replace(await world.answer(asked), decision=None, tried=(), cached="exact")

    ensemble = Ensemble(kind="majority", answers=4, max_parallel=1, budget_usd=0.1)
    await Ensembles(remembered, world.decide).complete(Asked.of("why?"), ensemble, "council")
    assert len(world.asked) == 4


async def test_a_budget_that_pays_nobody_is_told() -> None:
    world = World()
    world.cost_usd = dict.fromkeys(NAMES, 0.1)
    with pytest.raises(NoAnswerError, match=r"would cost about 0\.1 US dollars") as caught:
        await world.complete(replace(MOST, budget_usd=0.0))
    assert {code for _, code, _ in caught.value.failures} == {"over_budget"}


async def test_a_budget_of_nothing_asks_those_that_cost_nothing() -> None:
    world = World()
    world.cost_usd = {LARGE: 0.1}
    await world.complete(replace(MOST, budget_usd=0.0))
    assert sorted(world.candidates) == [MIDDLE, SMALL]


# Time


async def test_when_time_runs_out_what_is_there_is_used() -> None:
    world = World().says(SMALL, "here").says(MIDDLE, asyncio.Event()).says(LARGE, asyncio.Event())
    completion = await world.complete(replace(MOST, budget_s=0.15, max_parallel=2))
    assert completion.text == "here"
    assert sorted(world.stopped) == [MIDDLE, LARGE]
    assert {(entry.candidate, entry.error) for entry in completion.tried} == {
        (SMALL, ""),
        (MIDDLE, "timeout"),
        (LARGE, "timeout"),
    }
    assert f"{LARGE} was not done within the 0.15 s that the ensemble may take" in completion.reason


async def test_those_whose_turn_never_came_are_told_apart() -> None:
    world = World().says(SMALL, "here").says(MIDDLE, asyncio.Event())
    completion = await world.complete(replace(MOST, budget_s=0.15, max_parallel=1))
    assert LARGE not in world.candidates
    assert f"{LARGE} was not asked (no time was left)" in completion.reason


async def test_nobody_in_time_is_no_answer() -> None:
    world = World()
    for name in NAMES:
        world.says(name, asyncio.Event())
    with pytest.raises(NoAnswerError) as caught:
        await world.complete(replace(MOST, budget_s=0.02))
    assert caught.value.deadline_passed
    assert {code for _, code, _ in caught.value.failures} == {"timeout"}


async def test_a_shorter_deadline_of_the_caller_counts() -> None:
    world = World().says(SMALL, "here").says(MIDDLE, asyncio.Event())
    ensemble = Ensemble(kind="majority", candidates=(SMALL, MIDDLE), budget_s=600)
    completion = await world.complete(ensemble, Asked.of("why?", deadline_s=0.1))
    assert completion.text == "here" and completion.total_s < 5


async def test_every_member_hears_how_long_it_has() -> None:
    world = World()
    await world.complete(replace(MOST, budget_s=5), Asked.of("why?", deadline_s=60))
    assert all(0 < (asked.deadline_s or 0) <= 5 for _, asked in world.asked)


async def test_without_a_limit_members_have_none_of_it() -> None:
    world = World()
    await world.complete(MOST)
    assert {asked.deadline_s for _, asked in world.asked} == {None}


async def test_time_is_kept_for_the_judge_once_somebody_has_answered() -> None:
    world = World().says(SMALL, "one").says(MIDDLE, "two").says(LARGE, asyncio.Event()).says(CLOUD, picks_text("two"))
    world.expected_s[CLOUD] = 100.0  # never more than half of what is left is kept
    completion = await world.complete(replace(BEST, budget_s=0.6))
    assert world.stopped == [LARGE] and completion.text == "two"
    assert completion.total_s > 0.25


async def test_a_judge_that_takes_too_long_leaves_the_most_trusted_answer() -> None:
    world = World().says(SMALL, "one").says(MIDDLE, "two", confidence=0.9).says(CLOUD, asyncio.Event())
    completion = await world.complete(replace(BEST, budget_s=0.15))
    assert completion.text == "two" and world.stopped == [CLOUD]


async def test_a_refiner_that_takes_too_long_leaves_the_draft() -> None:
    world = World().says(SMALL, "draft").says(LARGE, asyncio.Event())
    completion = await world.complete(replace(REFINE, budget_s=0.15))
    assert completion.text == "draft" and world.stopped == [LARGE]


async def test_a_draft_that_takes_too_long_leaves_time_for_nobody() -> None:
    world = World().says(SMALL, asyncio.Event()).says(LARGE, asyncio.Event())
    with pytest.raises(NoAnswerError):
        await world.complete(replace(REFINE, budget_s=0.03))


# Going away


@pytest.mark.parametrize("ensemble", [BEST, MOST, VOICES, REFINE], ids=lambda ensemble: ensemble.kind)
async def test_a_cancelled_ensemble_stops_its_members(ensemble: Ensemble) -> None:
    world = World()
    for name in NAMES:
        world.says(name, asyncio.Event())
    task = asyncio.create_task(world.complete(ensemble))
    await ticks(20)
    running = world.running
    assert running
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert world.running == 0 and len(world.stopped) == running


@pytest.mark.parametrize("ensemble", [REFINE, VOICES], ids=lambda ensemble: ensemble.kind)
async def test_leaving_a_stream_closes_the_last_step(ensemble: Ensemble) -> None:
    world = World().says(LARGE, "many words follow here").says(CLOUD, "many words follow here")
    pieces = Ensembles(world.answer, world.decide).pieces(Asked.of("why?"), ensemble, "council", world.stream)
    first = await anext(pieces)
    assert isinstance(first, Chunk) and first.text == "many "
    await pieces.aclose()
    assert len(world.closed) == 1 and world.running == 0


# Streams


async def test_the_last_refinement_streams() -> None:
    texts, completion = await World().says(SMALL, "draft").says(LARGE, "word by word").streamed(REFINE)
    assert texts == ["word ", "by ", "word"]
    assert completion.text == "word by word" and completion.first_token_s is not None


async def test_the_synthesis_streams() -> None:
    texts, completion = await World().says(CLOUD, "word by word").streamed(VOICES)
    assert texts == ["word ", "by ", "word"] and completion.candidate == CLOUD


@pytest.mark.parametrize("ensemble", [BEST, MOST], ids=lambda ensemble: ensemble.kind)
async def test_a_choice_comes_in_one_piece(ensemble: Ensemble) -> None:
    texts, completion = await World().says(CLOUD, picks(1)).streamed(ensemble)
    assert texts == [completion.text] and completion.first_token_s is not None


async def test_a_last_step_that_fails_before_its_first_word_leaves_what_is_there() -> None:
    texts, completion = await World().says(SMALL, "the draft").says(LARGE, InternalError("down")).streamed(REFINE)
    assert texts == ["the draft"] and completion.text == "the draft"
    texts, completion = await World().says(CLOUD, InternalError("down")).streamed(VOICES)
    assert texts == ["fine"] and completion.candidate == SMALL


async def test_a_last_step_that_hangs_before_its_first_word_leaves_what_is_there() -> None:
    world = World().says(SMALL, "the draft").says(LARGE, asyncio.Event())
    texts, completion = await world.streamed(replace(REFINE, budget_s=0.15))
    assert texts == ["the draft"] and world.closed == [LARGE]
    assert completion.tried[-1].error == "timeout"


async def test_a_last_step_that_breaks_after_its_first_word_is_told() -> None:
    world = World().says(SMALL, "the draft").says(LARGE, "half an!")
    with pytest.raises(BrokenAnswerError) as caught:
        await world.streamed(REFINE)
    assert caught.value.partial_text == "half an!"


async def test_time_that_runs_out_within_a_stream_is_told() -> None:
    world = World().says(SMALL, "the draft")

    async def stalls(asked: Asked) -> AsyncGenerator[Chunk | Completion, None]:
        yield Chunk("half")
        await asyncio.Event().wait()

    pieces = Ensembles(world.answer, world.decide).pieces(
        Asked.of("why?"), replace(REFINE, budget_s=0.15), "council", stalls
    )
    assert await anext(pieces) == Chunk("half")
    with pytest.raises(BrokenAnswerError) as caught:
        await anext(pieces)
    assert caught.value.partial_text == "half" and caught.value.cause.code == "timeout"


async def test_a_stream_that_is_held_stays_held_in_the_last_step() -> None:
    world = World().says(SMALL, "draft").says(LARGE, "best")
    await world.streamed(REFINE, Asked.of("why?", hold=True))
    assert world.asked[-1][1].hold
