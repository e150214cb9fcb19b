"""Bytes into frames: however the stream is cut, whatever it holds, the same frames come out as from one piece."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from turnout.providers import framing
from turnout.providers.framing import Event, EventDecoder, FramingError, JsonLineDecoder, LineDecoder

Decoder = LineDecoder | EventDecoder | JsonLineDecoder

OPENAI_STREAM = (
    b'data: {"choices":[{"finish_reason":null,"index":0,"delta":{"role":"assistant","content":null}}],"model":"m"}\n\n'
    b'data: {"choices":[{"finish_reason":null,"index":0,"delta":{"content":"na\xc3\xafve \xe2\x80\xa8\xc2\x85"}}]}\n\n'
    b": ping\n\n"
    b'data: {"choices":[{"finish_reason":"stop","index":0,"delta":{}}]}\n\n'
    b'data: {"choices":[],"usage":{"completion_tokens":3,"prompt_tokens":34,"total_tokens":37}}\n\n'
    b"data: [DONE]\n\n"
)
LMSTUDIO_STREAM = (
    b'event: chat.start\r\ndata: {"type":"chat.start","model_instance_id":"qwen3"}\r\n\r\n'
    b'event: model_load.progress\r\ndata: {"type":"model_load.progress","progress":0.5}\r\n\r\n'
    b'event: message.delta\r\ndata: {"type":"message.delta","content":"Hi \xf0\x9f\x91\x8b"}\r\n\r\n'
    b'event: error\r\ndata: {"error":{"message":"Input does not fit in context length."}}\r\n\r\n'
)
OLLAMA_STREAM = (
    b'{"model":"m:latest","message":{"role":"assistant","content":"caf\xc3\xa9\xe2\x80\xa9"},"done":false}\n'
    b'{"model":"m:latest","message":{"role":"assistant","content":"\xc2\x85\xf0\x9f\x91\xa9"},"done":false}\n'
    b'{"model":"m:latest","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop"}\n'
)
REAL_STREAMS = (OPENAI_STREAM, LMSTUDIO_STREAM, OLLAMA_STREAM)

# Everything that means something to the decoders, next to each other in every order.
PIECES = st.sampled_from(
    (
        *(b"\n", b"\r\n", b"\r", b"\n\n", b"\r\n\r\n", b":", b" ", b"data", b"data:", b"data: ", b"event: ", b"event:"),
        *(b"id: 7", b"retry: 10", b": comment", b"datum: x", b"message.delta", b'{"a": 1}', b"[DONE]"),
        *(
            b"\xef\xbb\xbf",
            b"\xe2\x80\xa8",
            b"\xe2\x80\xa9",
            b"\xc2\x85",
            b"\xf0\x9f\x91\x8b",
            b"\xf0\x9f",
            b"\x0b",
            b"\x0c",
        ),
        *(b"\x1e", b"\x00", b"\xff"),
    )
)
STREAMS = st.lists(PIECES | st.binary(max_size=3), max_size=40).map(b"".join)
DOCUMENTS = st.dictionaries(
    st.sampled_from(["content", "model", "done"]),
    st.text(st.sampled_from('a{}"\\\u0085\u2028\u2029\u000b\r\n👩‍👩‍👧é\x1c\x1d\x1e ')),
    min_size=1,
)


def cut(data: bytes, places: Sequence[int]) -> list[bytes]:
    """The bytes in pieces; places beyond the end wrap around, places that meet give empty pieces."""
    ends = sorted(place % (len(data) + 1) for place in places)
    return [data[start:end] for start, end in zip([0, *ends], [*ends, len(data)], strict=True)]


def decode(decoder: Decoder, *pieces: bytes) -> list[Any]:
    frames = [frame for piece in pieces for frame in decoder.feed(piece)]
    return [*frames, *decoder.close()]


CUTS = st.lists(st.integers(0, 10_000), max_size=30)


# An independent decoder, slow and simple: one byte at a time, then the rules of the standard line by line.


def slow_lines(data: bytes) -> list[bytes]:
    lines, line = [], b""
    for byte in data:
        if byte == 0x0A:
            lines.append(line)
            line = b""
        else:
            line += bytes([byte])
    lines += [line] if line else []
    return [line[:-1] if line[-1:] == b"\r" else line for line in lines]


def slow_events(data: bytes) -> list[Event]:
    events, name, buffer = [], "", None
    for line in [*slow_lines(data[3:] if data[:3] == b"\xef\xbb\xbf" else data), b""]:
        if line == b"":
            if buffer is not None:
                events.append(Event(name, buffer[:-1]))
            name, buffer = "", None
            continue
        colon = line.find(b":")
        field, value = (line, b"") if colon < 0 else (line[:colon], line[colon + 1 :])
        if value[:1] == b" ":
            value = value[1:]
        if field == b"data":
            buffer = (buffer or b"") + value + b"\n"
        elif field == b"event":
            name = value.decode("utf-8", errors="replace")
    return events


# Any cut, any bytes


@given(STREAMS, CUTS)
def test_any_cut_of_any_stream_gives_the_lines_of_the_slow_decoder(data: bytes, places: list[int]) -> None:
    assert decode(LineDecoder(), *cut(data, places)) == decode(LineDecoder(), data) == slow_lines(data)


@settings(max_examples=100)
@given(STREAMS, CUTS)
def test_any_cut_of_any_stream_gives_the_events_of_the_slow_decoder(data: bytes, places: list[int]) -> None:
    assert decode(EventDecoder(), *cut(data, places)) == decode(EventDecoder(), data) == slow_events(data)


@given(STREAMS, CUTS)
def test_any_cut_of_any_stream_gives_the_same_documents(data: bytes, places: list[int]) -> None:
    expected = [Event("", line) for line in slow_lines(data) if line.strip()]
    assert decode(JsonLineDecoder(), *cut(data, places)) == decode(JsonLineDecoder(), data) == expected


@given(st.binary(max_size=400), CUTS)
def test_garbage_gives_frames_or_nothing_but_never_fails(data: bytes, places: list[int]) -> None:
    for make in (LineDecoder, EventDecoder, JsonLineDecoder):
        assert decode(make(), *cut(data, places)) == decode(make(), data)


@pytest.mark.parametrize("stream", REAL_STREAMS, ids=["openai", "lmstudio", "ollama"])
def test_every_single_cut_and_every_byte_alone_give_the_same_frames(stream: bytes) -> None:
    for make in (EventDecoder, JsonLineDecoder):
        whole = decode(make(), stream)
        assert decode(make(), *(stream[place : place + 1] for place in range(len(stream)))) == whole
        for place in range(len(stream)):
            assert decode(make(), stream[:place], stream[place:]) == whole


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A real stream with bytes flipped, lost, doubled, and pieces of other streams thrown in."""
    data = bytearray(draw(st.sampled_from(REAL_STREAMS)))
    for _ in range(draw(st.integers(1, 6))):
        place = draw(st.integers(0, max(len(data) - 1, 0)))
        end = place + draw(st.integers(0, 20))
        match draw(st.sampled_from(["flip", "lose", "double", "insert", "end"])):
            case "flip" if data:
                data[place] ^= draw(st.integers(1, 255))
            case "lose":
                del data[place:end]
            case "double":
                data[place:place] = data[place:end]
            case "insert":
                data[place:place] = draw(PIECES)
            case "end":
                del data[max(place, 40) :]
    return bytes(data)


@settings(max_examples=80)
@given(mutated(), CUTS)
def test_damaged_real_streams_give_the_same_frames_however_they_are_cut(data: bytes, places: list[int]) -> None:
    assert decode(EventDecoder(), *cut(data, places)) == slow_events(data)
    assert [event.data for event in decode(JsonLineDecoder(), *cut(data, places))] == [
        line for line in slow_lines(data) if line.strip()
    ]


# Line ends of Unicode are content


@given(st.lists(DOCUMENTS, max_size=6), st.sampled_from([b"\n", b"\r\n", b"\n\n"]), st.booleans(), CUTS)
def test_json_lines_come_back_whole_whatever_unicode_they_hold(
    documents: list[dict[str, str]], end: bytes, ended: bool, places: list[int]
) -> None:
    stream = end.join(json.dumps(document, ensure_ascii=False).encode() for document in documents)
    stream += end if ended else b""
    frames = decode(JsonLineDecoder(), *cut(stream, places))
    assert [json.loads(frame.data) for frame in frames] == documents


@given(st.lists(DOCUMENTS, max_size=6), st.sampled_from([b"\n", b"\r\n"]), st.booleans(), CUTS)
def test_events_come_back_whole_whatever_unicode_they_hold(
    documents: list[dict[str, str]], end: bytes, ended: bool, places: list[int]
) -> None:
    blocks = [b"data: " + json.dumps(document, ensure_ascii=False).encode() for document in documents]
    stream = (end * 2).join(blocks) + (end * 2 if ended else b"")
    frames = decode(EventDecoder(), *cut(stream, places))
    assert [json.loads(frame.data) for frame in frames] == documents


# The event format, rule by rule


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        pytest.param(b"data: a\n\n", [("", b"a")], id="one event"),
        pytest.param(b"data: a\r\n\r\n", [("", b"a")], id="ends of two bytes"),
        pytest.param(b"data:a\n\n", [("", b"a")], id="no space after the colon"),
        pytest.param(b"data:  a \n\n", [("", b" a ")], id="only one space is taken away"),
        pytest.param(b"data: a\ndata: b\n\n", [("", b"a\nb")], id="data of two lines"),
        pytest.param(b"data: a\ndata\ndata: b\n\n", [("", b"a\n\nb")], id="an empty line of data"),
        pytest.param(b"data\n\n", [("", b"")], id="data without a colon is empty data"),
        pytest.param(b"data:\n\n", [("", b"")], id="data that is empty"),
        pytest.param(b"event: x\ndata: a\n\n", [("x", b"a")], id="a name before its data"),
        pytest.param(b"data: a\nevent: x\n\n", [("x", b"a")], id="a name after its data"),
        pytest.param(b"event: x\nevent: y\ndata: a\n\n", [("y", b"a")], id="the last name counts"),
        pytest.param(b"event: x\nevent\ndata: a\n\n", [("", b"a")], id="a name taken back"),
        pytest.param(b"event: x\n\ndata: a\n\n", [("", b"a")], id="a name does not outlive its block"),
        pytest.param(b"event: \xff\ndata: a\n\n", [("\ufffd", b"a")], id="a name that is no UTF-8"),
        pytest.param(b": ping\n\n:\n\ndata: a\n\n", [("", b"a")], id="comments"),
        pytest.param(b"data: a\n: ping\ndata: b\n\n", [("", b"a\nb")], id="a comment in mid-event"),
        pytest.param(b"id: 1\nretry: 5\nfoo: x\nDATA: b\n\n", [], id="other fields alone are no event"),
        pytest.param(b" data: a\n\n", [], id="a space before the field makes it another"),
        pytest.param(b"\xef\xbb\xbfdata: a\n\n", [("", b"a")], id="a byte order mark"),
        pytest.param(b"\n\xef\xbb\xbfdata: a\n\n", [], id="a byte order mark later is part of the field"),
        pytest.param(b"data: \xef\xbb\xbfa\n\n", [("", b"\xef\xbb\xbfa")], id="a byte order mark in the data"),
        pytest.param(b"data: a\n\n\n\n\n", [("", b"a")], id="more blank lines"),
        pytest.param(b"data: a", [("", b"a")], id="no line end at all"),
        pytest.param(b"data: a\n", [("", b"a")], id="no blank line at the end"),
        pytest.param(b"data: a\r", [("", b"a")], id="half a line end"),
        pytest.param(b"data: a\rdata: b\n\n", [("", b"a\rdata: b")], id="a carriage return alone ends nothing"),
        pytest.param(b"data: a\r\r\n\n", [("", b"a\r")], id="one carriage return belongs to the line end"),
        pytest.param(b"event: error\n", [], id="a name without data"),
        pytest.param(b"", [], id="nothing"),
    ],
)
def test_events_follow_the_standard(stream: bytes, events: list[tuple[str, bytes]]) -> None:
    assert decode(EventDecoder(), stream) == events == slow_events(stream)


def test_an_event_is_handed_out_as_soon_as_its_blank_line_is_there() -> None:
    decoder = EventDecoder()
    assert decoder.feed(b"data: a\n") == []
    assert decoder.feed(b"\n") == [Event("", b"a")]


def test_a_line_is_handed_out_as_soon_as_its_end_is_there() -> None:
    decoder = JsonLineDecoder()
    assert decoder.feed(b'{"a"') == []
    assert decoder.feed(b": 1}\n") == [Event("", b'{"a": 1}')]


def test_closing_twice_hands_nothing_out_twice() -> None:
    for decoder in (LineDecoder(), EventDecoder(), JsonLineDecoder()):
        decoder.feed(b"data: a")
        assert len(decoder.close()) == 1
        assert decoder.close() == []


# Bounds on memory


@pytest.fixture
def bound(monkeypatch: pytest.MonkeyPatch) -> int:
    """64 bytes instead of 16 MiB."""
    monkeypatch.setattr(framing, "MAX_FRAME_BYTES", 64)
    return 64


@pytest.mark.parametrize("make", [LineDecoder, EventDecoder, JsonLineDecoder])
@pytest.mark.parametrize("step", [1, 7, 64, 65, 1000])
def test_a_line_that_never_ends_is_given_up(bound: int, make: type[Decoder], step: int) -> None:
    decoder = make()
    with pytest.raises(FramingError, match="longer than 64 bytes"):
        for _ in range(1000):
            decoder.feed(b"x" * step)


@pytest.mark.parametrize("make", [LineDecoder, JsonLineDecoder])
def test_a_line_as_long_as_the_bound_is_taken(bound: int, make: type[Decoder]) -> None:
    assert len(decode(make(), b"x" * bound + b"\n" + b"y" * bound)) == 2


@pytest.mark.parametrize("make", [LineDecoder, EventDecoder, JsonLineDecoder])
def test_a_long_line_is_refused_wherever_it_stands_in_a_feed(bound: int, make: type[Decoder]) -> None:
    with pytest.raises(FramingError):
        make().feed(b"short\n" + b"x" * (bound + 1) + b"\n")


def test_the_start_of_a_long_line_is_refused_at_the_latest_with_the_next_feed(bound: int) -> None:
    decoder = LineDecoder()
    with pytest.raises(FramingError):
        for piece in (b"short\n" + b"x" * (bound + 1), b""):
            decoder.feed(piece)


def test_an_event_of_many_lines_is_given_up(bound: int) -> None:
    decoder = EventDecoder()
    with pytest.raises(FramingError, match="an event is longer than 64 bytes"):
        for _ in range(1000):
            decoder.feed(b"data: 123456\n")


def test_an_event_of_empty_lines_is_given_up_too(bound: int) -> None:
    decoder = EventDecoder()
    with pytest.raises(FramingError):
        for _ in range(1000):
            decoder.feed(b"data:\n")


def test_the_bound_is_for_one_event_not_for_the_stream(bound: int) -> None:
    assert len(decode(EventDecoder(), *[b"data: 0123456789\n\n"] * 100)) == 100


def test_comments_may_go_on_for_ever(bound: int) -> None:
    decoder = EventDecoder()
    assert [event for _ in range(1000) for event in decoder.feed(b": still loading\n")] == []
    assert decoder.feed(b"data: a\n\n") == [Event("", b"a")]


@given(STREAMS, CUTS)
def test_no_event_is_ever_longer_than_the_bound_allows(data: bytes, places: list[int]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(framing, "MAX_FRAME_BYTES", 8)
        decoder, events = EventDecoder(), []
        try:
            for piece in cut(data, places):
                events += decoder.feed(piece)
        except FramingError:
            pass
        # The line ends between lines of data come on top of the bound.
        assert all(len(event.data.replace(b"\n", b"")) <= 8 for event in events)


def test_the_bound_leaves_room_for_any_honest_frame() -> None:
    assert framing.MAX_FRAME_BYTES >= 4 * 1024 * 1024
    line = b'{"content": "' + b"x" * 2_000_000 + b'"}'
    assert decode(JsonLineDecoder(), *cut(line, range(0, len(line), 4096))) == [Event("", line)]
