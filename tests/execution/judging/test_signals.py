"""Everything that can be seen of an answer is seen, any answer can be looked at, and its vector keeps its order."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from turnout.execution.judging.signals import FEW_TOKENS, HEAD_CHARS, SIGNAL_NAMES, Signals, read_signals
from turnout.types import Answer, JsonSchema, Message, Request, Sampling, TokenLogprob, Tool, ToolCall

GOOD = "The lock is never given back when the handler raises. Use a with block, so that it is released in every case."
CALL = ToolCall("1", "clock", "{}")


def read(
    text: str = GOOD, prompt: str = "why does it hang?", *, request: Request | None = None, **more: Any
) -> Signals:
    agreement = more.pop("agreement", None)
    return read_signals(request or Request.of(prompt), Answer("a/b", "b", text, **more), agreement=agreement)


def trouble(signals: Signals) -> set[str]:
    """The names of signals that are true or above 0, but for those that tell no trouble."""
    told = signals.to_json()
    return {name for name, value in told.items() if value and not name.startswith("logprob") and name != "agreement"}


def test_a_good_answer_shows_nothing() -> None:
    signals = read()
    assert trouble(signals) == set() and signals.ended
    assert signals.refusal is False and signals.code_broken is None and signals.format_broken is None


@pytest.mark.parametrize(
    ("name", "signals"),
    [
        ("cut", read(finish="length")),
        ("filtered", read(finish="content_filter")),
        ("empty", read("")),
        ("refusal", read("I'm sorry, but I can't help with that.")),
        ("loop", read(GOOD + " and so on" * 60)),
        ("echo", read("Why does the nightly job run twice?", "why does the nightly job run twice?")),
        ("unfinished", read(f"{GOOD} There are two ways, and the")),
        ("code_missing", read(GOOD, "write a python function that returns the median")),
        ("code_broken", read("```json\n{'a': 1}\n```")),
        ("fence_open", read("So:\n```python\nx = 1\n")),
        ("off_length", read(f"{GOOD} " * 3, "what is RAID 1, in one sentence?")),
        ("off_script", read("这个错误是因为变量没有定义，请先赋值。", "why is the variable not found in the loop?")),
    ],
)
def test_each_trouble_is_seen_alone(name: str, signals: Signals) -> None:
    assert trouble(signals) == {name}


@pytest.mark.parametrize("text", ["", " \n\t", "\u200b\ufeff", "<|im_end|>", "</s>\n", " " * 500])
def test_nothing_to_read_is_empty(text: str) -> None:
    assert trouble(read(text)) == {"empty"}
    assert trouble(read(text, reasoning="Let me think about it.")) == {"empty"}
    assert read(text, tool_calls=(CALL,), request=replace(Request.of("time?"), tools=(Tool("clock"),))).empty is False


@pytest.mark.parametrize("text", ["42", "<p>", "-", " " * 300 + "a", "。"])
def test_little_is_not_nothing(text: str) -> None:
    assert not read(text).empty


def test_an_empty_answer_is_not_what_was_asked_either() -> None:
    request = replace(Request.of("give me n"), answer_format="json")
    assert trouble(read("", request=request)) == {"empty", "format_broken"}


def test_a_cut_after_a_few_tokens_was_wanted() -> None:
    def asked(most: int | None) -> Request:
        return replace(Request.of("spam or ham?"), sampling=Sampling(max_tokens=most))

    assert not read("spam", request=asked(1), finish="length").cut
    assert (
        read("spam", request=asked(FEW_TOKENS + 1), finish="length").cut
        and read("spam", request=asked(None), finish="length").cut
    )


def test_stop_words_explain_a_lost_end() -> None:
    request = replace(Request.of("list them"), sampling=Sampling(stop=("```",)))
    signals = read("```python\nx = 1\n", request=request)
    assert signals.fence_open is None and signals.unfinished is None


def test_markdown_about_markdown_may_leave_a_fence() -> None:
    assert read("```markdown\n# A\n```python\nx\n```\n```\n").fence_open is None


def test_formats_and_calls_are_read() -> None:
    request = replace(Request.of("give me n"), answer_format=JsonSchema({"required": ["n"]}))
    assert read('{"n": 1}', request=request).format_broken is False
    assert trouble(read("```json\n{}\n```", request=request)) == {"format_broken", "format_wrapped"}
    tools = replace(Request.of("time?"), tools=(Tool("clock"),), tool_choice="required")
    assert read("", request=tools, tool_calls=(CALL,), finish="tool_calls").calls_broken is False
    assert read("It is noon.", request=tools).calls_broken is True
    assert read("", request=tools).calls_broken is True


def test_the_text_beside_calls_is_not_held_to_prose() -> None:
    request = replace(Request.of("what is the time, in one word?"), tools=(Tool("clock"),))
    signals = read(
        f"{GOOD} I will ask the clock, and then tell you in all detail:", request=request, tool_calls=(CALL,)
    )
    assert trouble(signals) == set() and signals.off_length is None and signals.unfinished is None


def token(text: str, p: float) -> TokenLogprob:
    return TokenLogprob(text, math.log(p))


def test_log_probabilities_are_summed_up() -> None:
    signals = read(
        "abcdefghij", logprobs=tuple(token(letter, 0.2 if letter == "c" else 0.9) for letter in "abcdefghij")
    )
    assert signals.logprob_mean == pytest.approx((math.log(0.2) + 9 * math.log(0.9)) / 10)
    assert signals.logprob_p10 == pytest.approx(math.log(0.9)) and signals.logprob_low == pytest.approx(0.1)


def test_log_probabilities_of_reasoning_are_left_out() -> None:
    doubts, words = tuple(token("hmm", 0.1) for _ in range(50)), (token("for", 0.9), token("ty", 0.9))
    signals = read("forty", reasoning="hmm" * 50, logprobs=(*doubts, *words))
    assert signals.logprob_mean == pytest.approx(math.log(0.9)) and signals.logprob_low == 0


def test_odd_log_probabilities_are_held_in_bounds() -> None:
    odd = tuple(TokenLogprob("a", value) for value in (-9999.0, -math.inf, 0.5, math.inf, math.nan))
    signals = read("aaaaa", logprobs=odd)
    assert signals.logprob_mean == pytest.approx(-10.0) and signals.logprob_low == 0.5
    assert read("a", logprobs=(TokenLogprob("a", math.nan),)).logprob_mean is None
    assert read("a").logprob_mean is None


@pytest.mark.parametrize(("given_", "kept"), [(0.4, 0.4), (7.0, 1.0), (-1.0, 0.0), (math.nan, None), (None, None)])
def test_agreement_is_a_share(given_: float | None, kept: float | None) -> None:
    assert read(agreement=given_).agreement == kept and read("", agreement=given_).agreement == kept


def test_a_long_answer_is_read_at_head_and_tail() -> None:
    middle = "The cause lies deeper, number {} of many. "
    long = "".join(middle.format(number) for number in range(2 * HEAD_CHARS // len(middle)))
    assert trouble(read(long)) == set()
    assert trouble(read(long + "again " * 100)) == {"loop"}
    assert trouble(read("I cannot help with that.\n" + long)) == set()
    assert read(f"```json\n{{\n```\n{long}").code_broken == 1.0
    assert read(f"{long}\n```python\n").fence_open is None


def test_the_vector_follows_the_names() -> None:
    names = Signals._fields
    assert SIGNAL_NAMES[: len(names)] == names and len(set(SIGNAL_NAMES)) == len(SIGNAL_NAMES)
    assert {name.removesuffix("_known") for name in SIGNAL_NAMES[len(names) :]} <= set(names)
    signals = Signals(cut=True, code_broken=0.5, refusal=False, logprob_mean=-0.25)
    row = dict(zip(SIGNAL_NAMES, signals.vector(), strict=True))
    assert signals.vector().dtype == np.float64
    assert {name: value for name, value in row.items() if value} == {
        "cut": 1.0,
        "code_broken": 0.5,
        "logprob_mean": -0.25,
        "code_broken_known": 1.0,
        "logprob_mean_known": 1.0,
    }


def test_signals_survive_the_history() -> None:
    for signals in (read(), read(""), read("```json\n{\n```", logprobs=(token("a", 0.5),), agreement=0.3)):
        stored = json.loads(json.dumps(signals.to_json()))
        assert Signals.from_json(stored) == signals


def test_the_history_keeps_what_applies() -> None:
    assert Signals(cut=True, refusal=False, code_broken=0.0).to_json() == {
        **{"cut": True, "filtered": False, "empty": False},
        **{"refusal": False, "code_broken": 0.0},
    }


def test_a_strange_history_does_no_harm() -> None:
    stored = {"cut": True, "refusal": "yes", "logprob_mean": math.nan, "agreement": None, "unheard_of": 1, "loop": [1]}
    assert Signals.from_json(stored) == Signals(cut=True)
    assert Signals.from_json({}) == Signals()


PIECES = st.sampled_from(
    [
        "```",
        "```python\n",
        "~~~",
        "\n",
        "{",
        "}",
        '"',
        "I can't ",
        "help",
        " the",
        ":",
        ",",
        "不能",
        "\ud800",
        "\x00",
        "é",
        "(",
        "<|x|>",
    ]
)
TEXTS = st.text(max_size=200) | st.lists(PIECES, max_size=60).map("".join)
FORMATS = st.sampled_from([None, "json", JsonSchema({"type": "object"}), JsonSchema({"$ref": "http://127.0.0.1:9/"})])


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(data=st.data())
def test_any_answer_to_any_request_is_read(data: st.DataObject) -> None:
    some = data.draw
    request = Request(
        tuple(
            Message(role, some(TEXTS))
            for role in some(st.lists(st.sampled_from(["user", "system", "tool"]), max_size=3))
        ),
        tools=some(st.sampled_from([(), (Tool("clock"),)])),
        tool_choice=some(st.sampled_from(["auto", "none", "required", "clock", "x"])),
        answer_format=some(FORMATS),
        sampling=Sampling(max_tokens=some(st.sampled_from([None, 1, 100])), stop=some(st.sampled_from([(), ("x",)]))),
    )
    answer = Answer(
        "a/b",
        "b",
        some(TEXTS),
        some(st.sampled_from(["", "hm"])),
        tuple(
            ToolCall("1", some(st.sampled_from(["clock", "", "x"])), some(TEXTS))
            for _ in range(some(st.integers(0, 2)))
        ),
        some(st.sampled_from(["stop", "length", "tool_calls", "content_filter"])),
        logprobs=tuple(TokenLogprob("a", value) for value in some(st.lists(st.floats(), max_size=5))),
    )
    signals = read_signals(request, answer, agreement=some(st.none() | st.floats()))
    assert (
        np.isfinite(signals.vector()).all() and Signals.from_json(json.loads(json.dumps(signals.to_json()))) == signals
    )
