"""One request on its way: fallback, escalation, the point of no return, one deadline over all, racing."""

from __future__ import annotations

import asyncio
import gc
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.execution.fakes import FakeJudge, Stage, escalating, ranked, said

from turnout.config.performance import Racing
from turnout.config.schema import Configuration
from turnout.errors import (
    BrokenAnswerError,
    ContextOverflowError,
    IncompleteError,
    InternalError,
    NoAnswerError,
    ProviderError,
    UnreachableError,
)
from turnout.execution.run import Run
from turnout.execution.threshold import Threshold
from turnout.types import Chunk, Completion, Progress

pytestmark = pytest.mark.anyio

FAST, STRONG, THIRD = "lmstudio/small", "ollama/large", "cloud/huge"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def pair(**options: object) -> Stage:
    return Stage(ranked(FAST, 0.75), ranked(STRONG, 0.95), **options)  # type: ignore[arg-type]


def broken(candidate: str) -> InternalError:
    provider, _, model = candidate.partition("/")
    return InternalError("it broke", provider=provider, model=model)


async def test_an_answer_that_is_trusted_is_handed_out_with_all_that_led_to_it() -> None:
    stage = pair()
    stage.asks.plays(FAST, (1.5, said(FAST, "yes")))
    completion = await stage.complete()
    assert (completion.text, completion.candidate, completion.id) == ("yes", FAST, "d1")
    assert completion.confidence == 0.75 and completion.total_s == 1.5
    assert completion.decision is stage.decision and completion.reason == "the best"
    (tried,) = completion.tried
    assert (tried.role, tried.error, tried.confidence) == ("first", "", 0.75)
    assert [attempt.candidate for attempt in tried.attempts] == [FAST]


@pytest.mark.parametrize("streamed", [False, True])
async def test_what_a_request_leaves_needs_no_collector(streamed: bool) -> None:
    def runs() -> set[int]:
        return {id(value) for value in gc.get_objects() if isinstance(value, Run)}

    stage = pair()
    stage.asks.plays(FAST, (said(FAST, "yes"),))
    gc.collect()
    gc.disable()
    try:
        before = runs()  # of other tests, which something still holds
        await (stage.stream() if streamed else stage.complete())
        del stage.last
        assert runs() <= before
    finally:
        gc.enable()


async def test_a_failed_attempt_moves_on_to_the_next_candidate() -> None:
    stage = pair()
    stage.asks.plays(FAST, (broken(FAST),))
    completion = await stage.complete()
    assert completion.candidate == STRONG and completion.fell_back and not completion.escalated
    assert [(entry.candidate, entry.role, entry.error) for entry in completion.tried] == [
        (FAST, "first", "internal"),
        (STRONG, "fallback", ""),
    ]
    assert "lmstudio/small failed (internal)" in completion.reason


async def test_all_failed_is_one_error_that_tells_every_attempt() -> None:
    stage = pair()
    stage.asks.plays(FAST, (broken(FAST),))
    stage.asks.plays(STRONG, (UnreachableError("nothing answers", provider="ollama", model="large"),))
    with pytest.raises(NoAnswerError, match=r"small: it broke \(internal\); ollama/large: nothing answers") as caught:
        await stage.complete()
    assert [code for _, code, _ in caught.value.failures] == ["internal", "unreachable"]
    assert caught.value.decision == "d1" and not caught.value.deadline_passed


async def test_without_fallback_the_first_failure_is_the_last() -> None:
    configuration = replace(Configuration(), fallback=replace(Configuration().fallback, enabled=False))
    stage = pair(configuration=configuration)
    stage.asks.plays(FAST, (broken(FAST),))
    with pytest.raises(NoAnswerError):
        await stage.complete()
    assert stage.asks.asked == [("complete", FAST)]


async def test_no_more_candidates_are_asked_than_configured() -> None:
    configuration = replace(Configuration(), fallback=replace(Configuration().fallback, max_attempts=2))
    stage = Stage(*(ranked(name) for name in (FAST, STRONG, THIRD)), configuration=configuration)
    for name in (FAST, STRONG, THIRD):
        stage.asks.plays(name, (broken(name),))
    with pytest.raises(NoAnswerError):
        await stage.complete()
    assert len(stage.asks.asked) == 2


async def test_an_overflow_goes_to_a_larger_window() -> None:
    stage = Stage(ranked("a/8k"), ranked("b/4k"), ranked("c/32k"), windows={"a/8k": 8192, "b/4k": 4096, "c/32k": 32768})
    stage.asks.plays("a/8k", (ContextOverflowError("too long", provider="a", model="8k"),))
    completion = await stage.complete()
    assert completion.candidate == "c/32k"


async def test_when_a_provider_is_gone_its_other_candidates_come_last() -> None:
    stage = Stage(ranked("a/one"), ranked("a/two"), ranked("b/one"))
    stage.asks.plays("a/one", (UnreachableError("gone", provider="a", model="one"),))
    assert (await stage.complete()).candidate == "b/one"


async def test_a_candidate_that_cannot_be_asked_now_is_passed_over() -> None:
    stage = Stage(ranked(FAST), ranked(STRONG), ranked(THIRD), problems={STRONG: "left alone after failures"})
    stage.asks.plays(FAST, (broken(FAST),))
    assert (await stage.complete()).candidate == THIRD


async def test_an_untrusted_answer_is_asked_again_and_both_are_kept() -> None:
    stage = pair(judge=FakeJudge(bad=0.3, good=0.9))
    stage.asks.plays(FAST, (said(FAST, "bad"),))
    stage.asks.plays(STRONG, (said(STRONG, "good"),))
    completion = await stage.complete()
    assert completion.text == "good" and completion.escalated and completion.confidence == 0.9
    assert [entry.answer.text for entry in completion.tried if entry.answer] == ["bad", "good"]
    assert "not trusted (30%, under 70%)" in completion.reason


async def test_the_better_of_both_answers_is_handed_out() -> None:
    stage = pair(judge=FakeJudge(bad=0.3, worse=0.1))
    stage.asks.plays(FAST, (said(FAST, "bad"),))
    stage.asks.plays(STRONG, (said(STRONG, "worse"),))
    completion = await stage.complete()
    assert completion.text == "bad" and len(completion.tried) == 2
    assert "did no better" in completion.reason


async def test_an_escalation_that_fails_leaves_the_answer_that_is_there() -> None:
    stage = pair(judge=FakeJudge(bad=0.3))
    stage.asks.plays(FAST, (said(FAST, "bad"),))
    stage.asks.plays(STRONG, (broken(STRONG),))
    completion = await stage.complete()
    assert completion.text == "bad" and completion.tried[1].error == "internal"


@pytest.mark.parametrize(
    ("p_success", "expected_s", "deadline_s", "asked"),
    [(0.95, 1.0, 60.0, 2), (0.35, 1.0, 60.0, 1), (0.95, 90.0, 60.0, 1)],
    ids=["worth it", "no better", "too slow"],
)
async def test_escalation_asks_only_who_is_worth_it(
    p_success: float, expected_s: float, deadline_s: float, asked: int
) -> None:
    stage = Stage(ranked(FAST), ranked(STRONG, p_success, expected_s), judge=FakeJudge(bad=0.3), deadline_s=deadline_s)
    stage.asks.plays(FAST, (said(FAST, "bad"),))
    await stage.complete()
    assert len(stage.asks.asked) == asked


@pytest.mark.parametrize(("p_success", "falls"), [(0.95, True), (0.35, False)], ids=["somebody", "nobody"])
async def test_only_answers_that_somebody_would_better_lower_the_threshold(p_success: float, falls: bool) -> None:
    stage = Stage(ranked(FAST), ranked(STRONG, p_success), judge=FakeJudge(bad=0.3, good=0.9))
    stage.asks.plays(FAST, (said(FAST, "bad"),))
    stage.asks.plays(STRONG, (said(STRONG, "bad"),))
    stage.threshold = Threshold(stage.configuration.routing.escalation)
    before = stage.threshold.value
    await stage.complete()
    assert (stage.threshold.value < before) is falls


async def test_escalations_are_bounded() -> None:
    stage = Stage(*(ranked(name) for name in (FAST, STRONG, THIRD)), judge=FakeJudge(fine=0.1))
    await stage.complete()
    assert len(stage.asks.asked) == 2
    stage = Stage(
        *(ranked(name) for name in (FAST, STRONG, THIRD)),
        judge=FakeJudge(fine=0.1),
        configuration=escalating(max_escalations=2),
    )
    await stage.complete()
    assert len(stage.asks.asked) == 3


async def test_a_rule_sets_the_threshold_of_its_request() -> None:
    stage = pair(threshold=0.9)
    assert (await stage.complete()).escalated
    stage = pair(configuration=escalating(enabled=False), threshold=0.9)
    assert not (await stage.complete()).escalated


async def test_pieces_are_handed_out_as_they_come() -> None:
    stage = pair()
    stage.asks.plays(FAST, (0.5, Chunk("he"), Chunk("llo"), 1.0, said(FAST, "hello")))
    text, completion = await stage.stream()
    assert text == "hello" and completion.first_token_s == 0.5 and completion.total_s == 1.5


async def test_before_the_first_content_a_failure_goes_unnoticed() -> None:
    stage = pair()
    stage.asks.plays(FAST, (Chunk(progress=Progress("load", 0.5)), broken(FAST)))
    stage.asks.plays(STRONG, (Chunk("hi"), said(STRONG, "hi")))
    text, completion = await stage.stream()
    assert text == "hi" and completion.fell_back


async def test_after_the_first_content_a_failure_is_told() -> None:
    stage = pair()
    stage.asks.plays(FAST, (Chunk("he"), IncompleteError("cut off", provider="lmstudio", model="small")))
    got = []
    with pytest.raises(BrokenAnswerError, match="broke off after 2 characters") as caught:
        async for piece in stage.run().pieces():
            got.append(piece)  # noqa: PERF401 - what came before the error counts
    assert [piece.text for piece in got] == ["he"]
    assert caught.value.partial_text == "he" and caught.value.cause.code == "incomplete"
    assert stage.asks.asked == [("stream", FAST)]


async def test_what_was_handed_out_is_not_asked_again_however_little_it_is_trusted() -> None:
    stage = pair(judge=FakeJudge(bad=0.1))
    stage.asks.plays(FAST, (Chunk("bad"), said(FAST, "bad")))
    text, completion = await stage.stream()
    assert text == "bad" and not completion.escalated and completion.confidence == 0.1


async def test_an_empty_stream_can_still_be_asked_again() -> None:
    stage = Stage(ranked(FAST), ranked(STRONG), judge=FakeJudge(**{"": 0.02}))
    stage.asks.plays(FAST, (said(FAST, ""),))
    stage.asks.plays(STRONG, (said(STRONG, "words"),))
    text, completion = await stage.stream()
    assert text == "words" and completion.candidate == STRONG


async def test_a_stream_that_is_held_is_judged_first() -> None:
    stage = pair(judge=FakeJudge(bad=0.1, good=0.9))
    stage.asks.plays(FAST, (Chunk("bad"), said(FAST, "bad")))
    stage.asks.plays(STRONG, (Chunk("good"), said(STRONG, "good")))
    text, completion = await stage.stream(hold=True)
    assert text == "good" and completion.escalated and completion.first_token_s is not None


async def test_a_hanging_candidate_leaves_time_for_the_next_one() -> None:
    stage = Stage(ranked(FAST, 0.9, 1.0), ranked(STRONG, 0.8, 10.0), deadline_s=40.0)
    stage.asks.plays(FAST, (1000.0, said(FAST)))
    stage.asks.plays(STRONG, (10.0, said(STRONG)))
    completion = await stage.complete()
    assert completion.candidate == STRONG and completion.total_s == 35.0
    assert stage.asks.limits[0][0] == 25.0


async def test_a_stream_that_has_begun_may_use_the_whole_deadline() -> None:
    stage = Stage(ranked(FAST, 0.9, 1.0), ranked(STRONG, 0.8, 10.0), deadline_s=40.0)
    stage.asks.plays(FAST, (1.0, Chunk("a"), 38.0, said(FAST, "a")))
    _, completion = await stage.stream()
    assert completion.candidate == FAST and stage.asks.limits == [(40.0, 25.0)]


async def test_when_the_deadline_has_passed_nobody_else_is_asked() -> None:
    stage = Stage(ranked(FAST, 0.9, 1.0), ranked(STRONG, 0.8, None), deadline_s=5.0)
    stage.asks.plays(FAST, (1000.0, said(FAST)))
    with pytest.raises(NoAnswerError, match="the deadline passed") as caught:
        await stage.complete()
    assert caught.value.deadline_passed and len(stage.asks.asked) == 1


async def test_a_caller_who_leaves_stops_the_work_upstream() -> None:
    stage = pair()
    stage.asks.plays(FAST, (Chunk("a"), asyncio.Event()))
    pieces = stage.run().pieces()
    assert isinstance(await anext(pieces), Chunk)
    await pieces.aclose()
    assert stage.asks.stopped == [FAST] and stage.asks.open == 0
    assert stage.last.tried[0].error == "cancelled"


async def test_a_cancelled_caller_stops_the_work_upstream() -> None:
    stage = pair()
    stage.asks.plays(FAST, (asyncio.Event(),))
    task = asyncio.create_task(stage.complete())
    while not stage.asks.asked:
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert stage.asks.stopped == [FAST] and stage.last.tried[0].error == "cancelled"


def racing(stage: Stage) -> Stage:
    performance = replace(stage.configuration.performance, racing=Racing(enabled=True))
    stage.configuration = replace(stage.configuration, performance=performance)
    return stage


async def test_a_second_candidate_overtakes_a_late_one_which_is_stopped() -> None:
    stage = racing(Stage(ranked(FAST, 0.8, 0.001), ranked(STRONG)))
    stage.asks.plays(FAST, (asyncio.Event(),))
    stage.asks.plays(STRONG, (Chunk("hi"), said(STRONG, "hi")))
    text, completion = await stage.stream()
    assert text == "hi" and completion.candidate == STRONG and stage.asks.stopped == [FAST]
    assert [(entry.candidate, entry.role, entry.error) for entry in completion.tried] == [
        (FAST, "first", "overtaken"),
        (STRONG, "race", ""),
    ]
    assert "lmstudio/small was slower" in completion.reason


async def test_a_punctual_candidate_races_alone() -> None:
    stage = racing(Stage(ranked(FAST, 0.8, 100.0), ranked(STRONG)))
    assert (await stage.complete()).candidate == FAST
    assert stage.asks.asked == [("stream", FAST)]


steps = st.sampled_from(["fine", "bad", "fails", "breaks", "hangs", "empty"])


@given(scenes=st.lists(steps, min_size=3, max_size=3), streams=st.booleans(), hold=st.booleans(), race=st.booleans())
def test_whatever_happens_a_run_ends_with_one_answer_or_one_error(
    scenes: list[str], streams: bool, hold: bool, race: bool
) -> None:
    async def play() -> None:
        names = (FAST, STRONG, THIRD)
        stage = Stage(*(ranked(name, 0.7 + at / 10) for at, name in enumerate(names)), judge=FakeJudge(bad=0.2))
        if race:
            stage = racing(stage)
        for name, kind in zip(names, scenes, strict=True):
            stage.asks.plays(
                name,
                {
                    "fine": (0.5, Chunk("fine"), said(name)),
                    "bad": (Chunk("bad"), said(name, "bad")),
                    "fails": (broken(name),),
                    "breaks": (Chunk("fi"), broken(name)),
                    "hangs": (1000.0,),
                    "empty": (said(name, ""),),
                }[kind],
            )
        got: list[Chunk | Completion] = []
        error: Exception | None = None
        try:
            if streams:
                async for piece in stage.run(hold=hold).pieces():
                    got.append(piece)  # noqa: PERF401 - what came before an error counts
            else:
                got.append(await stage.run().complete())
        except (NoAnswerError, BrokenAnswerError) as caught:
            error = caught
        except ProviderError as caught:
            raise AssertionError("a provider's error reached the caller") from caught
        assert stage.asks.open == 0
        assert stage.clock() - 1000.0 <= stage.deadline_s + 1e-6
        completions = [piece for piece in got if isinstance(piece, Completion)]
        text = "".join(piece.text for piece in got if isinstance(piece, Chunk))
        if error is None:
            assert len(completions) == 1 and got[-1] is completions[0]
            assert not streams or text == completions[0].text
            assert completions[0].tried == tuple(stage.last.tried)
        else:
            assert not completions
            assert isinstance(error, BrokenAnswerError) == bool(text)
        if "fine" in scenes and not (streams and not hold and "breaks" in scenes):
            assert error is None

    asyncio.run(play())
