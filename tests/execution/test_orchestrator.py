"""Everything between a caller and the providers: decisions with wishes, news of every request exactly once, whole runs."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.execution.fakes import FakeAsks, FakeJudge, Stage, escalating, ranked, said
from tests.providers.fakes import FakeClock, ticks

from turnout.config.loader import load_content
from turnout.config.machine import Machine
from turnout.config.performance import Cache, ExactCache, Racing
from turnout.config.schema import Configuration
from turnout.errors import (
    BrokenAnswerError,
    ConfigurationError,
    ContextOverflowError,
    IncompleteError,
    InternalError,
    NoAnswerError,
    NoCandidateError,
    RequestError,
    TurnoutError,
    UnreachableError,
)
from turnout.execution.asked import Asked
from turnout.execution.cache.store import LocalStore
from turnout.execution.orchestrator import Orchestrator
from turnout.execution.remembered import Remembered
from turnout.execution.served import Served
from turnout.execution.threshold import Threshold
from turnout.execution.watch import Watch
from turnout.policy import Router
from turnout.policy.policy import Policy
from turnout.predictor.fit import Fitted
from turnout.types import (
    CandidateState,
    Chunk,
    Completion,
    LanguageModel,
    Progress,
    ProviderState,
    Request,
    Sampling,
    Snapshot,
    Speeds,
)

pytestmark = pytest.mark.anyio

FAST, STRONG, CLOUD = "lmstudio/small-7b", "ollama/large-70b", "cloud/huge"
NAMES = (FAST, STRONG, CLOUD)
BASE = """
providers:
  lmstudio: {models: [small-7b]}
  ollama: {models: [large-70b]}
  cloud: {kind: openai, base_url: "https://api.example.com/v1", models: [huge]}
voices:
  architect: {system_prompt: you are an architect, candidates: [ollama, cloud/huge]}
  nobody: {system_prompt: you are nobody, candidates: []}
"""
ORDINARY = Machine(memory_mb=24_000, cores=8, gpu=False)
ALIKE = Speeds(first_token_s=0.1, prefill_tokens_per_s=1000, decode_tokens_per_s=100, measurements=9)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@cache
def policy(more: str = "", base: str = BASE) -> Policy:
    loaded = load_content(f"{base}\n{more}".encode(), "f.yaml", environment={}, machine=lambda: ORDINARY)
    return Policy(loaded.configuration, chance=lambda: 0.0)


def broken(candidate: str) -> InternalError:
    provider, _, model = candidate.partition("/")
    return InternalError("it broke", provider=provider, model=model)


class Ear:
    """Hears of every request that ends; may fail at it."""

    def __init__(self, fails: Exception | None = None) -> None:
        self.heard: list[Served] = []
        self.fails = fails

    def served(self, news: Served) -> None:
        self.heard.append(news)
        if self.fails is not None:
            raise self.fails


class Hall:
    """An orchestrator over a real router, candidates that play scenes, and an ear."""

    def __init__(self, more: str = "", *, base: str = BASE, fitted: Fitted | None = None, **beliefs: float) -> None:
        self.clock = FakeClock()
        self.asks = FakeAsks(self.clock)
        self.problems = dict.fromkeys(NAMES, "")
        self.looks = 0
        made = policy(more, base)
        self.router = Router(fitted.predictor if fitted is not None else None, policy=made)
        self.threshold = Threshold(made.configuration.routing.escalation)
        self.judge = FakeJudge(**({"fine": 0.9} | beliefs))
        self.ear = Ear()
        self.ears: list[Ear] = [self.ear]
        self.orchestrator = self.over(self.judge)

    def over(self, judge: FakeJudge, router: Router | None = None, **options: Any) -> Orchestrator:
        watch, observed = Watch(self, now=self.clock), router or self.router
        options.setdefault("remembered", Remembered(Cache(exact=ExactCache(enabled=False)), LocalStore()))
        return Orchestrator(
            observed, self.asks, watch, judge, self.threshold, observers=self.ears, now=self.clock, **options
        )

    def snapshot(self) -> Snapshot:
        self.looks += 1
        return Snapshot(
            taken_s=self.clock(),
            providers={
                name: ProviderState(provider=name, available=True, observed_s=self.clock())
                for name in ("lmstudio", "ollama", "cloud")
            },
            candidates={
                name: CandidateState(
                    candidate=name,
                    model=LanguageModel(name=name.partition("/")[2], loaded=True),
                    speeds=ALIKE,
                    problem=problem,
                )
                for name, problem in self.problems.items()
            },
        )

    async def all(self, asked: Asked, *, streams: bool = False) -> list[Chunk | Completion]:
        if not streams:
            return [await self.orchestrator.complete(asked)]
        async with aclosing(self.orchestrator.pieces(asked)) as pieces:
            return [piece async for piece in pieces]

    async def complete(self, prompt: str = "hello", **options: Any) -> Completion:
        (completion,) = await self.all(Asked.of(prompt, **options))
        assert isinstance(completion, Completion)
        await ticks()  # what is remembered is kept in the background
        return completion

    @property
    def news(self) -> Served:
        """Of the only request so far."""
        (news,) = self.ear.heard
        assert self.asks.open == 0
        return news


# Decisions


async def test_the_configured_order_decides_before_anything_was_learned() -> None:
    hall = Hall()
    completion = await hall.complete()
    assert completion.candidate == FAST and completion.decision is not None
    assert [entry.candidate for entry in completion.decision.ranking] == list(NAMES)
    assert hall.asks.asked == [("complete", FAST)]


async def test_an_answer_that_is_trusted_takes_no_look_at_every_candidate() -> None:
    hall = Hall()
    await hall.complete()
    assert hall.looks <= 2


async def test_a_learned_predictor_decides_under_the_same_roof(small_fitted: Fitted) -> None:
    hall = Hall(fitted=small_fitted)
    completion = await hall.complete("why does our lock deadlock under failover?")
    assert completion.decision is not None and completion.candidate in NAMES


async def test_deciding_asks_nobody_and_tells_nobody() -> None:
    hall = Hall()
    assert hall.orchestrator.decide(Asked.of("hello")).candidate == FAST
    assert hall.asks.asked == [] and hall.ear.heard == []


async def test_only_the_one_asked_for_by_name_is_asked() -> None:
    hall = Hall()
    completion = await hall.complete(candidate=CLOUD)
    assert completion.candidate == CLOUD and completion.reason == "asked for by name"
    hall.asks.plays(STRONG, (broken(STRONG),))
    with pytest.raises(NoAnswerError):
        await hall.complete(candidate=STRONG)
    assert [name for _, name in hall.asks.asked] == [CLOUD, STRONG]


async def test_one_asked_for_by_name_that_cannot_serve_is_an_error_with_the_reason() -> None:
    hall = Hall()
    hall.problems[CLOUD] = "left alone after failures"
    with pytest.raises(NoCandidateError, match="left alone after failures") as caught:
        await hall.complete(candidate=CLOUD)
    assert list(caught.value.excluded) == [CLOUD] and hall.asks.asked == []
    assert hall.news.error == "NoCandidateError" and "left alone" in hall.news.message


async def test_a_rule_keeps_out_even_whom_the_caller_asks_for_by_name() -> None:
    hall = Hall("routing: {rules: [{name: stay home, when: 'true', then: {require_local: true}}]}")
    with pytest.raises(NoCandidateError, match="cloud/huge"):
        await hall.complete(candidate=CLOUD)
    assert hall.asks.asked == []


async def test_a_voice_is_answered_by_whom_it_likes() -> None:
    hall = Hall()
    completion = await hall.complete(voice="architect")
    assert completion.candidate == STRONG and "the voice architect likes ollama/large-70b best" in completion.reason
    assert (await hall.complete(voice="nobody")).candidate == FAST


async def test_whom_a_voice_likes_next_is_the_fallback() -> None:
    hall = Hall()
    hall.asks.plays(STRONG, (broken(STRONG),))
    assert (await hall.complete(voice="architect")).candidate == CLOUD


@pytest.mark.parametrize("voice", ["architekt", "ARCHITECT ", "no such voice"])
async def test_a_voice_that_nobody_knows_is_refused_by_name(voice: str) -> None:
    hall = Hall()
    with pytest.raises(RequestError, match=re.escape(voice)):
        await hall.complete(voice=voice)
    assert hall.news.error == "RequestError"


async def test_that_an_ensemble_is_unknown_is_told_once() -> None:
    hall = Hall()
    with pytest.raises(RequestError, match="no ensemble is named 'council'"):
        await hall.complete(ensemble="council")
    assert hall.news.error == "RequestError"


async def test_what_a_rule_says_of_the_answer_counts() -> None:
    hall = Hall("routing: {rules: [{name: careful, when: 'true', then: {threshold: 0.95, hold: true}}]}", poor=0.3)
    hall.asks.plays(FAST, (Chunk("poor"), said(FAST, "poor")))
    pieces = await hall.all(Asked.of("hello"), streams=True)
    completion = pieces[-1]
    assert isinstance(completion, Completion) and completion.threshold == 0.95 and completion.escalated
    assert [piece.text for piece in pieces] == ["fine", "fine"]


async def test_a_stream_is_held_back_where_its_caller_says_so() -> None:
    hall = Hall()
    hall.asks.plays(FAST, (Chunk("fi"), Chunk("ne"), said(FAST)))
    assert [piece.text for piece in await hall.all(Asked.of("hello", hold=True), streams=True)] == ["fine", "fine"]
    assert hall.asks.asked == [("complete", FAST)]


async def test_another_policy_counts_from_the_next_request_on() -> None:
    hall = Hall()
    goes_on = asyncio.Event()
    hall.asks.plays(FAST, (goes_on, broken(FAST)))
    task = asyncio.create_task(hall.complete())
    await ticks()
    hall.router.configure(policy("fallback: {enabled: false}"))
    goes_on.set()
    assert (await task).candidate == STRONG
    hall.asks.plays(FAST, (broken(FAST),))
    with pytest.raises(NoAnswerError):
        await hall.complete()


async def test_a_router_without_a_policy_is_refused(router: Router) -> None:
    hall = Hall()
    with pytest.raises(ConfigurationError, match="needs a router with a configuration"):
        hall.over(hall.judge, router).decide(Asked.of("hello"))


async def test_changed_prices_change_who_is_the_stronger_of_equals() -> None:
    def priced(first: int, second: int) -> str:
        entry = "{{prompt_usd_per_million: {0}, completion_usd_per_million: {0}}}"
        models = f"small: {entry.format(0)}, one: {entry.format(first)}, two: {entry.format(second)}"
        return f"providers: {{cloud: {{kind: openai, base_url: 'https://example.com/v1', models: {{{models}}}}}}}"

    hall = Hall(base=priced(1, 2), poor=0.1)
    hall.problems = {"cloud/small": "", "cloud/one": "", "cloud/two": ""}
    for prices, dearer in (((1, 2), "cloud/two"), ((2, 1), "cloud/one")):
        hall.router.configure(policy(base=priced(*prices)))
        hall.asks.plays("cloud/small", (said("cloud/small", "poor"),))
        hall.clock.advance(1.0)
        assert (await hall.complete()).candidate == dearer


# Deadlines


async def test_the_deadline_of_the_caller_goes_before_the_configured_one() -> None:
    hall = Hall("fallback: {deadline_s: 30, enabled: false}\nrouting: {escalation: {max_escalations: 0}}")
    for deadline_s, expected in ((None, 30.0), (5, 5.0), (1e9, 1e9), (1e-9, 1e-9)):
        hall.asks.limits.clear()
        await hall.complete(deadline_s=deadline_s)
        assert hall.asks.limits[0][0] == pytest.approx(expected)


async def test_one_deadline_covers_all_attempts() -> None:
    hall = Hall()
    for name in NAMES:
        hall.asks.plays(name, (1000.0, said(name)))
    with pytest.raises(NoAnswerError) as caught:
        await hall.complete(deadline_s=10)
    assert hall.clock() == pytest.approx(1010.0) and len(caught.value.failures) >= 2
    assert hall.news.total_s == pytest.approx(10.0) and hall.news.error == "no_answer"


# Conversations


async def test_a_conversation_stays_with_who_answered_in_the_end() -> None:
    hall = Hall()
    hall.asks.plays(FAST, (broken(FAST),))
    assert (await hall.complete(conversation="c")).candidate == STRONG
    completion = await hall.complete("and now the tests", conversation="c")
    assert completion.candidate == STRONG and completion.decision is not None
    assert completion.decision.decided_by == "conversation"
    assert (await hall.complete("and now the tests", conversation="another")).candidate == FAST


async def test_a_conversation_stays_with_whom_it_was_escalated_to() -> None:
    hall = Hall(poor=0.1)
    hall.asks.plays(FAST, (said(FAST, "poor"),))
    first = await hall.complete(conversation="c")
    assert first.escalated and first.candidate != FAST
    assert (await hall.complete("and now the tests", conversation="c")).candidate == first.candidate


@pytest.mark.parametrize("wish", [{"candidate": STRONG}, {"voice": "architect"}])
async def test_a_conversation_stays_with_whom_a_wish_brought_in(wish: Mapping[str, str]) -> None:
    hall = Hall()
    assert (await hall.complete(conversation="c", **wish)).candidate == STRONG
    assert (await hall.complete("and now the tests", conversation="c")).candidate == STRONG


async def test_without_a_conversation_nothing_is_remembered() -> None:
    hall = Hall()
    hall.asks.plays(FAST, (broken(FAST),))
    assert (await hall.complete()).candidate == STRONG
    assert (await hall.complete("and now the tests")).candidate == FAST


# News


async def test_an_answer_is_told_once_with_all_of_it() -> None:
    hall = Hall()
    hall.asks.plays(FAST, (1.5, said(FAST)))
    asked = Asked.of("hello", metadata={"ticket": 7}, user="u")
    (completion,) = await hall.all(asked)
    news = hall.news
    assert isinstance(completion, Completion) and news.completion is completion and news.asked is asked
    assert completion.metadata == {"ticket": 7} and completion.id == news.id
    assert re.fullmatch("[0-9a-f]{32}", news.id)
    assert news.decision is completion.decision and news.tried == completion.tried and len(news.tried) == 1
    assert (news.total_s, news.error, news.message) == (1.5, "", "")
    assert news.started_at > 1.7e9


async def test_a_stream_is_told_once_before_its_completion_is_handed_out() -> None:
    hall = Hall()
    hall.asks.plays(FAST, (Chunk("fi"), Chunk("ne"), said(FAST)))
    async with aclosing(hall.orchestrator.pieces(Asked.of("hello"))) as pieces:
        async for piece in pieces:
            assert len(hall.ear.heard) == isinstance(piece, Completion)
    assert hall.news.completion is piece


async def test_that_nobody_answered_is_told_once() -> None:
    hall = Hall()
    for name in NAMES:
        hall.asks.plays(name, (broken(name),))
    with pytest.raises(NoAnswerError) as caught:
        await hall.complete()
    news = hall.news
    assert (news.error, news.message, news.completion) == ("no_answer", str(caught.value), None)
    assert caught.value.decision == news.id
    assert [(entry.candidate, entry.error) for entry in news.tried] == [(name, "internal") for name in NAMES]


async def test_that_an_answer_broke_off_is_told_once() -> None:
    hall = Hall()
    hall.asks.plays(FAST, (Chunk("fi"), IncompleteError("cut off", provider="lmstudio", model="small-7b")))
    with pytest.raises(BrokenAnswerError) as caught:
        await hall.all(Asked.of("hello"), streams=True)
    news = hall.news
    assert (news.error, news.completion, caught.value.decision) == ("broken_answer", None, news.id)
    assert [(entry.candidate, entry.error) for entry in news.tried] == [(FAST, "incomplete")]


@pytest.mark.parametrize("prompt", ["", "  \n"])
async def test_that_a_request_was_refused_is_told_once(prompt: str) -> None:
    hall = Hall()
    with pytest.raises(RequestError):
        await hall.complete(prompt)
    assert hall.news.error == "RequestError" and hall.news.decision is None and hall.news.tried == ()


async def test_that_nobody_can_serve_is_told_once() -> None:
    hall = Hall()
    hall.problems = dict.fromkeys(NAMES, "nothing answers")
    with pytest.raises(NoCandidateError):
        await hall.complete()
    assert hall.news.error == "NoCandidateError" and hall.news.message.count("nothing answers") == 3


@pytest.mark.parametrize("streams", [True, False])
async def test_a_caller_who_is_cancelled_before_the_first_piece_is_told_once(streams: bool) -> None:
    hall = Hall()
    hall.asks.plays(FAST, (asyncio.Event(),))
    task = asyncio.create_task(hall.all(Asked.of("hello"), streams=streams))
    await ticks()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    news = hall.news
    assert news.error == "cancelled" and news.decision is not None
    assert [(entry.candidate, entry.error) for entry in news.tried] == [(FAST, "cancelled")]
    assert hall.asks.stopped == [FAST]


@pytest.mark.parametrize("closes", [True, False])
async def test_a_caller_who_leaves_in_the_middle_is_told_once(closes: bool) -> None:
    hall = Hall()
    hall.asks.plays(FAST, (Chunk("fi"), asyncio.Event()))
    got = asyncio.Event()

    async def reads() -> None:
        async with aclosing(hall.orchestrator.pieces(Asked.of("hello"))) as pieces:
            async for _ in pieces:
                got.set()
                if closes:
                    return

    task = asyncio.create_task(reads())
    await got.wait()
    if not closes:
        await ticks()
        task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert hall.news.error == "cancelled" and hall.news.tried[0].error == "cancelled"
    assert hall.asks.stopped == [FAST]


async def test_a_caller_who_leaves_between_two_attempts_is_told_of_both() -> None:
    hall = Hall()
    hall.asks.plays(FAST, (broken(FAST),))
    hall.asks.plays(STRONG, (asyncio.Event(),))
    task = asyncio.create_task(hall.complete())
    await ticks()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [(entry.candidate, entry.error) for entry in hall.news.tried] == [(FAST, "internal"), (STRONG, "cancelled")]


async def test_closing_after_the_completion_tells_nothing_more() -> None:
    hall = Hall()
    pieces = hall.orchestrator.pieces(Asked.of("hello"))
    while not isinstance(await anext(pieces), Completion):
        pass
    await pieces.aclose()
    assert hall.news.completion is not None


async def test_a_caller_whose_own_error_is_thrown_into_the_pieces_is_told_once() -> None:
    hall = Hall()
    hall.asks.plays(FAST, (Chunk("fi"), asyncio.Event()))
    pieces = hall.orchestrator.pieces(Asked.of("hello"))
    await anext(pieces)
    with pytest.raises(KeyError):
        await pieces.athrow(KeyError("of the caller"))
    assert (hall.news.error, hall.news.message) == ("defect", "KeyError: 'of the caller'")


@pytest.mark.parametrize("fails", [ValueError("full"), TurnoutError("x"), StopAsyncIteration()])
async def test_an_observer_that_fails_fails_nothing(fails: Exception, caplog: pytest.LogCaptureFixture) -> None:
    hall = Hall()
    hall.ears.insert(0, Ear(fails))
    assert (await hall.complete()).text == "fine"
    assert len(hall.ears[0].heard) == len(hall.ear.heard) == 1
    assert "Ear could not take in what came of" in caplog.text
    hall.asks.plays(FAST, (asyncio.Event(),))
    task = asyncio.create_task(hall.complete())
    await ticks()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(hall.ears[0].heard) == len(hall.ear.heard) == 2


class BugError(Exception):
    """What nobody expects."""


@pytest.mark.parametrize("streams", [True, False])
async def test_a_defect_is_not_told_as_the_callers_leaving(streams: bool) -> None:
    hall = Hall()

    def fails() -> None:
        raise BugError

    hall.asks.plays(FAST, (fails,))
    with pytest.raises(BugError):
        await hall.all(Asked.of("hello"), streams=streams)
    assert hall.news.error != "cancelled" and hall.news.tried[0].error != "cancelled"


async def test_an_answer_that_cannot_be_judged_is_an_answer_and_is_told() -> None:
    hall = Hall()

    class Fails(FakeJudge):
        def __call__(self, *_: Any) -> Any:
            raise BugError

    completion = await hall.over(Fails()).complete(Asked.of("hello"))
    assert completion.candidate == FAST
    assert [entry.candidate for entry in hall.news.tried] == [FAST]


fates = st.sampled_from(["fine", "poor", "fails", "breaks", "hangs", "empty", "waits"])


@given(
    scenes=st.lists(
        st.tuples(fates, fates, st.booleans(), st.booleans(), st.none() | st.integers(1, 8)), min_size=1, max_size=6
    ),
    fails=st.booleans(),
)
def test_whatever_happens_to_many_at_once_each_is_told_exactly_once(
    scenes: list[tuple[str, str, bool, bool, int | None]], fails: bool
) -> None:
    async def play() -> None:
        hall = Hall(poor=0.1)
        if fails:
            hall.ears.append(Ear(BugError()))
        steps: dict[str, tuple[Any, ...]] = {
            "fine": (Chunk("fine"), said(FAST)),
            "poor": (Chunk("poor"), said(FAST, "poor")),
            "fails": (broken(FAST),),
            "breaks": (Chunk("fi"), broken(FAST)),
            "hangs": (1000.0,),
            "empty": (Chunk(progress=Progress("load")), said(FAST, "")),
            "waits": (asyncio.Event(),),
        }
        tasks, asked = [], []
        for at, (first, second, streams, hold, leaves) in enumerate(scenes):
            hall.asks.plays(FAST, steps[first])
            hall.asks.plays(STRONG, steps[second])
            asked.append(Asked.of(f"hello {at}", hold=hold, metadata={"at": at}))
            tasks.append(asyncio.create_task(hall.all(asked[-1], streams=streams)))
            if leaves is not None:
                await ticks(leaves)
                tasks[-1].cancel()
        await ticks(60)
        for task in tasks:
            task.cancel()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        begun = [
            at
            for at, task in enumerate(tasks)
            if not task.cancelled() or any(n.asked is asked[at] for n in hall.ear.heard)
        ]
        assert sorted(news.asked.metadata["at"] for news in hall.ear.heard) == begun
        assert hall.asks.open == 0
        for news in hall.ear.heard:
            end = ends[news.asked.metadata["at"]]
            if isinstance(end, BaseException):
                assert news.completion is None or isinstance(end, asyncio.CancelledError)
                assert news.error or news.completion is not None
            else:
                assert news.completion is end[-1] and not news.error
        if fails:
            assert len(hall.ears[1].heard) == len(hall.ear.heard)

    asyncio.run(play())


# Answers given before

SURE = Sampling(temperature=0.0)


def remembering(hall: Hall, **settings: Any) -> Orchestrator:
    """An orchestrator of the same hall that remembers answers, in memory only."""
    hall.orchestrator = hall.over(hall.judge, remembered=Remembered(Cache(exact=ExactCache(**settings)), LocalStore()))
    return hall.orchestrator


async def test_an_answer_given_before_is_handed_out_again_and_told_once() -> None:
    hall = Hall()
    remembering(hall)
    first = await hall.complete(sampling=SURE, metadata={"at": 1})
    again = await hall.complete(sampling=SURE, metadata={"at": 2})
    assert len(hall.asks.asked) == 1 and (first.cached, again.cached) == ("", "exact")
    assert again.text == first.text and again.id != first.id and again.metadata == {"at": 2} and again.decision is None
    assert [news.completion for news in hall.ear.heard] == [first, again]
    streamed = await hall.all(Asked.of("hello", sampling=SURE), streams=True)
    assert [piece.text for piece in streamed] == ["fine", "fine"] and len(hall.ear.heard) == 3


@pytest.mark.parametrize(
    "other",
    [{"user": "another"}, {"sampling": Sampling(temperature=0.0, seed=1)}, {"candidate": FAST}, {"voice": "architect"}],
)
async def test_what_differs_in_what_matters_is_asked_anew(other: Mapping[str, Any]) -> None:
    hall = Hall()
    remembering(hall)
    await hall.complete(**{"sampling": SURE, "user": "u"})
    assert not (await hall.complete(**({"sampling": SURE, "user": "u"} | dict(other)))).cached
    assert len(hall.asks.asked) == 2


async def test_what_a_rule_may_tell_apart_by_a_header_is_asked_anew() -> None:
    hall = Hall("routing: {rules: [{name: private, when: \"header.x_private == 'yes'\", then: {force: [ollama]}}]}")
    remembering(hall)
    assert (await hall.complete(sampling=SURE, headers={"x-private": "no"})).candidate == FAST
    assert (await hall.complete(sampling=SURE, headers={"x-private": "yes"})).candidate == STRONG


async def test_what_is_drawn_anew_each_time_and_what_should_be_asked_afresh_is() -> None:
    hall = Hall()
    remembering(hall)
    for options in ({}, {}, {"sampling": SURE}, {"sampling": SURE, "use_cache": False}):
        assert not (await hall.complete(**options)).cached
    assert (await hall.complete(sampling=SURE)).cached == "exact"


@pytest.mark.parametrize("streams", [True, False])
async def test_the_same_asked_twice_at_once_is_asked_once_and_told_twice(streams: bool) -> None:
    hall = Hall()
    remembering(hall)
    goes_on = asyncio.Event()
    hall.asks.plays(FAST, (Chunk("fi"), goes_on, Chunk("ne"), said(FAST)))
    asked = [Asked.of("hello", sampling=SURE, metadata={"at": at}) for at in range(3)]
    tasks = [asyncio.create_task(hall.all(each, streams=streams)) for each in asked]
    await ticks(30)
    goes_on.set()
    ends = [(await task)[-1] for task in tasks]
    assert len(hall.asks.asked) == 1 and [end.text for end in ends] == ["fine"] * 3
    assert sorted(news.asked.metadata["at"] for news in hall.ear.heard) == [0, 1, 2]
    assert len({news.id for news in hall.ear.heard}) == 3


@pytest.mark.parametrize("fate", ["leaves", "fails", "breaks off"])
async def test_who_waits_for_another_that_ends_without_an_answer_asks_himself(fate: str) -> None:
    hall = Hall("fallback: {enabled: false}")
    remembering(hall)
    goes_on = asyncio.Event()
    last = broken(FAST) if fate == "fails" else said(FAST)
    hall.asks.plays(FAST, (Chunk("fi"), goes_on, broken(FAST)) if fate == "breaks off" else (goes_on, last))
    first = asyncio.create_task(hall.all(Asked.of("hello", sampling=SURE), streams=True))
    await ticks(20)
    second = asyncio.create_task(hall.complete(sampling=SURE))
    await ticks(20)
    assert len(hall.asks.asked) == 1
    if fate == "leaves":
        first.cancel()
    goes_on.set()
    assert (await second).cached == "" and len(hall.asks.asked) == 2
    (end,) = await asyncio.gather(first, return_exceptions=True)
    kinds = {"leaves": asyncio.CancelledError, "fails": NoAnswerError, "breaks off": BrokenAnswerError}
    assert isinstance(end, kinds[fate])
    assert sorted(bool(news.error) for news in hall.ear.heard) == [False, True] and hall.asks.open == 0


# Whole runs: what a stage finds that the tests of `Run` do not look for


def racing(stage: Stage) -> Stage:
    performance = replace(stage.configuration.performance, racing=Racing(enabled=True))
    stage.configuration = replace(stage.configuration, performance=performance)
    return stage


def without_fallback() -> Configuration:
    plain = Configuration()
    return replace(plain, fallback=replace(plain.fallback, enabled=False))


async def test_the_completion_of_a_stream_is_what_was_handed_out() -> None:
    stage = Stage(ranked(FAST, 0.5), ranked(STRONG, 0.9), judge=FakeJudge(**{"": 0.3, "words": 0.2}))
    stage.asks.plays(FAST, (said(FAST, ""),))
    stage.asks.plays(STRONG, (Chunk("words"), said(STRONG, "words")))
    text, completion = await stage.stream()
    assert text == "words" == completion.text and completion.candidate == STRONG


async def test_an_empty_answer_has_no_pieces() -> None:
    stage = Stage(ranked(FAST), judge=FakeJudge(**{"": 0.9}))
    stage.asks.plays(FAST, (said(FAST, ""),))
    pieces = [piece async for piece in stage.run().pieces()]
    assert [type(piece) for piece in pieces] == [Completion]


@pytest.mark.parametrize("why", ["fallback is off", "it cannot be asked"])
async def test_no_time_is_kept_back_for_whom_nobody_will_ask(why: str) -> None:
    stage = Stage(
        ranked(FAST, 0.9, 1.0),
        ranked(STRONG, 0.8, 10.0),
        deadline_s=40.0,
        configuration=without_fallback() if why == "fallback is off" else None,
        problems={STRONG: "left alone after failures"} if why == "it cannot be asked" else None,
    )
    stage.asks.plays(FAST, (38.0, said(FAST)))
    assert (await stage.complete()).candidate == FAST


async def test_the_threshold_that_is_told_is_the_one_that_was_applied() -> None:
    stage = Stage(ranked(FAST, 0.75), ranked(STRONG, 0.95), judge=FakeJudge(bad=0.695, good=0.9))
    stage.threshold = Threshold(escalating(adaptive=True, threshold=0.7).routing.escalation)
    stage.asks.plays(FAST, (said(FAST, "bad"),))
    stage.asks.plays(STRONG, (said(STRONG, "good"),))
    completion = await stage.complete()
    assert completion.escalated and completion.threshold == 0.7 and "under 70%" in completion.reason


async def test_an_escalation_that_a_rule_asks_for_does_not_move_the_threshold_of_others() -> None:
    stage = Stage(ranked(FAST, 0.75), ranked(STRONG, 0.95), judge=FakeJudge(bad=0.8, good=0.9), threshold=0.95)
    stage.threshold = Threshold(escalating(adaptive=True).routing.escalation)
    stage.asks.plays(FAST, (said(FAST, "bad"),))
    stage.asks.plays(STRONG, (said(STRONG, "good"),))
    assert (await stage.complete()).escalated
    assert stage.threshold.value == 0.7


async def test_after_an_overflow_of_a_small_loaded_window_a_larger_one_is_asked() -> None:
    stage = Stage(ranked(FAST), ranked(STRONG))
    sizes = {FAST: (131_072, 4096), STRONG: (32_768, 32_768)}
    stage.snapshot = Snapshot(
        taken_s=stage.clock(),
        candidates={
            name: CandidateState(
                candidate=name,
                model=LanguageModel(name=name, loaded=True, context_length=most, loaded_context_length=now),
            )
            for name, (most, now) in sizes.items()
        },
    )
    stage.asks.plays(
        FAST, (ContextOverflowError("5000 tokens do not fit 4096", provider="lmstudio", model="small-7b"),)
    )
    assert (await stage.complete()).candidate == STRONG


async def test_where_both_of_a_race_fail_both_are_told() -> None:
    stage = racing(Stage(ranked(FAST, 0.8, 0.001), ranked(STRONG)))
    fails = asyncio.Event()
    stage.asks.plays(FAST, (fails, broken(FAST)))
    stage.asks.plays(STRONG, (fails.set, UnreachableError("gone", provider="ollama", model="large-70b")))
    with pytest.raises(NoAnswerError) as caught:
        await stage.complete()
    assert {candidate for candidate, _, _ in caught.value.failures} == {FAST, STRONG}


async def test_what_a_rival_failed_of_counts_for_the_next_attempt() -> None:
    stage = racing(Stage(ranked("a/1", 0.8, 0.001), ranked("b/1"), ranked("b/2"), ranked("c/1")))
    fails = asyncio.Event()
    stage.asks.plays("a/1", (fails, broken("a/1")))
    stage.asks.plays("b/1", (fails.set, UnreachableError("gone", provider="b", model="1")))
    assert (await stage.complete()).candidate == "c/1"


async def test_what_a_rival_failed_of_is_not_held_against_the_first() -> None:
    stage = racing(Stage(ranked("a/1", 0.8, 0.001), ranked("b/1"), ranked("a/2"), ranked("c/1")))
    both_run, first_is_out = asyncio.Event(), asyncio.Event()
    stage.asks.plays("a/1", (both_run, broken("a/1")))
    stage.asks.plays("b/1", (both_run.set, first_is_out, UnreachableError("gone", provider="b", model="1")))
    task = asyncio.create_task(stage.complete())
    async with asyncio.timeout(5):
        while not (hasattr(stage, "last") and stage.last.tried):
            await asyncio.sleep(0.001)
    first_is_out.set()
    assert (await task).candidate == "a/2"


async def test_who_was_overtaken_is_told_as_slower_and_not_as_failed() -> None:
    stage = racing(Stage(ranked(FAST, 0.8, 0.001), ranked(STRONG)))
    stage.asks.plays(FAST, (asyncio.Event(),))
    stage.asks.plays(STRONG, (Chunk("hi"), said(STRONG, "hi")))
    completion = await stage.complete()
    assert [(entry.candidate, entry.role, entry.error) for entry in completion.tried] == [
        (FAST, "first", "overtaken"),
        (STRONG, "race", ""),
    ]
    assert not completion.fell_back and f"{FAST} was slower" in completion.reason


async def test_a_caller_who_leaves_a_race_is_told_of_both() -> None:
    stage = racing(Stage(ranked(FAST, 0.8, 0.001), ranked(STRONG)))
    runs = asyncio.Event()
    stage.asks.plays(FAST, (asyncio.Event(),))
    stage.asks.plays(STRONG, (runs.set, asyncio.Event()))
    task = asyncio.create_task(stage.complete())
    await runs.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [(entry.candidate, entry.error) for entry in stage.last.tried] == [
        (FAST, "cancelled"),
        (STRONG, "cancelled"),
    ]
    assert stage.asks.open == 0


async def test_a_first_that_fails_in_a_race_is_told() -> None:
    stage = racing(Stage(ranked(FAST, 0.8, 100.0), ranked(STRONG)))
    stage.asks.plays(FAST, (broken(FAST),))
    completion = await stage.complete()
    assert completion.candidate == STRONG and completion.fell_back and "failed (internal)" in completion.reason


async def test_without_fallback_a_first_that_fails_in_a_race_is_the_last() -> None:
    stage = racing(Stage(ranked(FAST, 0.8, 100.0), ranked(STRONG), configuration=without_fallback()))
    stage.asks.plays(FAST, (broken(FAST),))
    with pytest.raises(NoAnswerError):
        await stage.complete()
    assert [name for _, name in stage.asks.asked] == [FAST]


async def test_a_held_stream_that_races_hands_out_one_answer() -> None:
    stage = racing(Stage(ranked(FAST, 0.8, 0.001), ranked(STRONG)))
    stage.asks.plays(FAST, (asyncio.Event(),))
    stage.asks.plays(STRONG, (Chunk("h"), Chunk("i"), said(STRONG, "hi")))
    text, completion = await stage.stream(hold=True)
    assert text == completion.text == "hi" and completion.candidate == STRONG


async def test_tools_reasoning_and_probabilities_of_a_held_answer_come_through() -> None:
    stage = Stage(ranked(FAST))
    answer = said(FAST, "", reasoning="hm")
    stage.asks.plays(FAST, (answer,))
    pieces = [piece async for piece in stage.run(hold=True).pieces()]
    assert isinstance(pieces[0], Chunk) and pieces[0].reasoning == "hm"


async def test_who_answers_is_asked_what_the_caller_asked() -> None:
    seen: list[Request] = []

    class Judge(FakeJudge):
        def __call__(self, request: Request, *rest: Any) -> Any:
            seen.append(request)
            return super().__call__(request, *rest)

    hall = Hall()
    asked = Asked.of([{"role": "system", "content": "be brief"}, {"role": "user", "content": "hello"}])
    await hall.over(Judge()).complete(asked)
    assert seen == [asked.request]
