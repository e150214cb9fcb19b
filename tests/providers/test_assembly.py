"""Pieces into one answer: nothing is lost, whatever the cut; calls come together by their index."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from turnout.providers.assembly import Assembly, ReasoningSplitter
from turnout.types import Answer, Chunk, Finish, Progress, Timings, TokenLogprob, ToolCall, ToolCallDelta, Usage

TEXTS = st.lists(
    st.sampled_from(
        ["<think>", "</think>", "<", ">", "/", "think", "<think", "</", "\n", "\n\n", " ", "a", "é", "\u2028"]
    )
    | st.text(max_size=3),
    max_size=12,
).map("".join)
CUTS = st.lists(st.integers(0, 200), max_size=12)


def cut(text: str, places: list[int]) -> list[str]:
    ends = sorted(place % (len(text) + 1) for place in places)
    return [text[start:end] for start, end in zip([0, *ends], [*ends, len(text)], strict=True)]


def split(*pieces: str) -> tuple[str, str]:
    """Text and reasoning after the end."""
    splitter = ReasoningSplitter()
    parts = [*(splitter.feed(piece) for piece in pieces), splitter.close()]
    return "".join(text for text, _ in parts), "".join(reasoning for _, reasoning in parts)


def slow_split(text: str) -> tuple[str, str]:
    """The same by definition: all of the text at hand, no state."""
    if not text.lstrip().startswith("<think>"):
        return text, ""
    block, _, rest = text.lstrip()[len("<think>") :].partition("</think>")
    return rest.lstrip("\n"), block


# Reasoning out of text


@settings(max_examples=100)
@given(TEXTS, CUTS)
def test_any_cut_of_any_text_gives_the_same_text_and_reasoning(text: str, places: list[int]) -> None:
    assert split(*cut(text, places)) == split(text) == split(*text) == slow_split(text)


@given(TEXTS, CUTS)
def test_a_block_that_opens_the_answer_is_split_wherever_it_is_cut(text: str, places: list[int]) -> None:
    opened = f" \n<think>{text}"
    assert split(*cut(opened, places)) == slow_split(opened)


@given(TEXTS, CUTS)
def test_a_text_that_does_not_open_with_a_block_is_left_as_it_is(text: str, places: list[int]) -> None:
    plain = f"Sure: {text}"
    assert split(*cut(plain, places)) == (plain, "")


@given(st.text(), CUTS)
def test_nothing_is_lost_but_the_marks_and_the_space_around_them(text: str, places: list[int]) -> None:
    said, thought = split(*cut(f"<think>{text}</think>answer", places))
    if "</think>" not in text:
        assert (said, thought) == ("answer", text)


@pytest.mark.parametrize(
    ("text", "said", "thought"),
    [
        ("", "", ""),
        ("  \n", "  \n", ""),
        ("<think>why</think>\n\nbecause", "because", "why"),
        ("\n <think>why</think>because", "because", "why"),
        ("<think></think>because", "because", ""),
        ("<think>\n\n</think>\n\n", "", "\n\n"),
        ("<think>why</think>\n  because", "  because", "why"),
        ("<think>why", "", "why"),
        ("<think>why</thin", "", "why</thin"),
        ("<think>a < b </ c</think>d", "d", "a < b </ c"),
        ("<think>a</think>b<think>c</think>d", "b<think>c</think>d", "a"),
        ("<think><think>a</think>b</think>c", "b</think>c", "<think>a"),
        ("<thin", "<thin", ""),
        ("<thinking>a</thinking>", "<thinking>a</thinking>", ""),
        ("<THINK>a</THINK>", "<THINK>a</THINK>", ""),
        ("a<think>b</think>", "a<think>b</think>", ""),
        ("</think>a", "</think>a", ""),
    ],
)
def test_only_a_block_at_the_start_is_reasoning(text: str, said: str, thought: str) -> None:
    assert split(text) == split(*text) == (said, thought)


def test_text_is_handed_on_at_once_where_no_block_can_begin() -> None:
    splitter = ReasoningSplitter()
    assert splitter.feed("Hello") == ("Hello", "")
    assert splitter.feed(" <think>") == (" <think>", "")
    assert splitter.close() == ("", "")


def test_reasoning_is_handed_on_while_it_comes() -> None:
    splitter = ReasoningSplitter()
    assert splitter.feed("<think>") == ("", "")
    assert splitter.feed("one ") == ("", "one ")
    assert splitter.feed("two</th") == ("", "two")
    assert splitter.feed("ree") == ("", "</three")
    assert splitter.feed("</think>\n") == ("", "")
    assert splitter.feed("\nfour") == ("four", "")


@given(TEXTS.map(lambda text: f"<think>{text}"))
def test_never_more_than_a_mark_is_held_back_inside_a_block(text: str) -> None:
    splitter, seen = ReasoningSplitter(), 0
    for length, letter in enumerate(text, 1):
        seen += len(splitter.feed(letter)[1])
        assert len(slow_split(text[:length])[1]) - seen < len("</think>")


# Calls of tools


def answer(*chunks: Chunk, finish: Finish | None = "stop") -> Answer:
    assembly = Assembly("here/m")
    for chunk in chunks:
        assembly.add(chunk)
    assembly.close()
    assembly.finish = finish
    return assembly.answer()


def delta(index: int, id: str = "", name: str = "", arguments: str = "") -> Chunk:
    return Chunk(tool_calls=(ToolCallDelta(index, id, name, arguments),))


def test_pieces_of_a_call_come_together_by_their_index() -> None:
    whole = answer(
        delta(0, "1", "read"),
        delta(0, arguments='{"path":'),
        delta(0, arguments=' "a.py"}'),
    )
    assert whole.tool_calls == (ToolCall("1", "read", '{"path": "a.py"}'),)
    assert (whole.finish, whole.warnings) == ("tool_calls", ())


def test_calls_that_come_interleaved_stay_apart_and_in_order() -> None:
    whole = answer(
        delta(1, "b", "write", "{"),
        delta(0, "a", "read", "{"),
        delta(1, arguments='"x": 1}'),
        delta(0, arguments="}"),
    )
    assert whole.tool_calls == (ToolCall("a", "read", "{}"), ToolCall("b", "write", '{"x": 1}'))


def test_a_name_or_id_that_is_repeated_or_empty_in_later_pieces_changes_nothing() -> None:
    whole = answer(
        delta(0, "", "", ""),
        delta(0, "1", "read"),
        delta(0, "", "", "{"),
        delta(0, "1", "read", "}"),
        delta(0, "2", "other"),
    )
    assert whole.tool_calls == (ToolCall("1", "read", "{}"),)


def test_a_call_without_id_or_arguments_gets_them() -> None:
    whole = answer(delta(3, name="now"), delta(5, name="later"))
    assert whole.tool_calls == (ToolCall("call_3", "now", "{}"), ToolCall("call_5", "later", "{}"))


@pytest.mark.parametrize("arguments", ['{"a": ', "[1]", '"text"', "null", "7", "{} {}", "[" * 100_000, "NaN"])
def test_arguments_that_are_no_object_are_kept_and_warned_of(arguments: str) -> None:
    whole = answer(delta(0, "1", "read", arguments))
    assert whole.tool_calls[0].arguments == arguments
    assert whole.warnings == ("the arguments of the call of read are not JSON",)


@pytest.mark.parametrize(
    ("finish", "told"),
    [(None, "tool_calls"), ("stop", "tool_calls"), ("length", "length"), ("content_filter", "content_filter")],
)
def test_calls_replace_a_stop_and_nothing_else(finish: Finish | None, told: Finish) -> None:
    assert answer(delta(0, "1", "read", "{}"), finish=finish).finish == told


PIECES = st.lists(
    st.builds(
        ToolCallDelta,
        st.integers(0, 3),
        st.sampled_from(["", "1", "2"]),
        st.sampled_from(["", "read", "write"]),
        st.sampled_from(["", "{", "}", '"a"', ": 1"]),
    ),
    max_size=20,
)


@given(PIECES)
def test_no_piece_of_any_arguments_is_lost(pieces: list[ToolCallDelta]) -> None:
    together = answer(*(Chunk(tool_calls=(piece,)) for piece in pieces))
    assert together == answer(Chunk(tool_calls=tuple(pieces)))
    for call, index in zip(together.tool_calls, sorted({piece.index for piece in pieces}), strict=True):
        own = [piece for piece in pieces if piece.index == index]
        assert call.arguments == ("".join(piece.arguments for piece in own) or "{}")
        assert call.name == next((piece.name for piece in own if piece.name), "")


# The answer as a whole


def test_what_the_frames_tell_is_in_the_answer() -> None:
    assembly = Assembly("here/m")
    logprobs = (TokenLogprob("Hi", -0.1, (("Hi", -0.1),)),)
    assembly.add(Chunk("Hi", "thought", logprobs=logprobs))
    assembly.close()
    assembly.model, assembly.finish = "m:latest", "length"
    assembly.usage, assembly.timings = Usage(3, 1), Timings(prefill_s=0.1)
    assembly.warnings.append("seed is not understood here and was left out")
    assert assembly.answer() == Answer(
        "here/m",
        "m:latest",
        "Hi",
        "thought",
        (),
        "length",
        Usage(3, 1),
        logprobs,
        Timings(prefill_s=0.1),
        ("seed is not understood here and was left out",),
    )


def test_an_answer_without_anything_says_so() -> None:
    whole = answer(Chunk())
    assert (whole.text, whole.finish, whole.warnings) == ("", "stop", ("the answer is empty",))
    assert answer(Chunk(reasoning="hm")).warnings == ()


def test_reasoning_of_both_kinds_is_joined_in_the_order_it_came() -> None:
    assert answer(Chunk("<think>b", "a"), Chunk("c</think>d", "")).reasoning == "abc"


def test_what_may_be_sent_on_is_what_is_kept() -> None:
    assembly = Assembly("here/m")
    sent = [assembly.add(Chunk(piece)) for piece in ("<th", "ink>a", "</think>", "\nb")]
    assert [(chunk.text, chunk.reasoning) for chunk in sent] == [("", ""), ("", "a"), ("", ""), ("b", "")]
    assert (assembly.partial_text, assembly.close()) == ("b", Chunk())


def test_log_probabilities_are_sent_on_even_while_their_text_is_held_back() -> None:
    logprobs = (TokenLogprob("<th", -0.5),)
    assembly = Assembly("here/m")
    assert assembly.add(Chunk("<th", logprobs=logprobs)) == Chunk(logprobs=logprobs)
    assert assembly.close() == Chunk("<th")


@pytest.mark.parametrize(
    "chunk", [Chunk("plain"), Chunk(reasoning="a"), Chunk(progress=Progress("load", 0.5)), delta(0, "1"), Chunk()]
)
def test_a_piece_that_needs_no_splitting_is_sent_on_unchanged(chunk: Chunk) -> None:
    assert Assembly("here/m").add(chunk) == chunk


def test_the_text_so_far_is_there_for_errors() -> None:
    assembly = Assembly("here/m")
    assert (assembly.partial_text, assembly.is_empty, assembly.calls) == ("", True, 0)
    assembly.add(Chunk("half "))
    assembly.add(Chunk("an", tool_calls=(ToolCallDelta(0, "1", "read"),)))
    assert (assembly.partial_text, assembly.is_empty, assembly.calls) == ("half an", False, 1)


@given(TEXTS, CUTS)
def test_a_streamed_text_is_the_same_as_a_whole_one(text: str, places: list[int]) -> None:
    pieces = [Chunk(piece) for piece in cut(text, places)]
    assert answer(*pieces) == answer(Chunk(text))
