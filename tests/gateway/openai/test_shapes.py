"""Pieces of OpenAI's answers."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.gateway.openai.shapes import decision_of, encode, error_body, frame, logprobs, usage
from turnout.gateway.refusals import Refusal
from turnout.types import TokenLogprob, Usage


@given(st.text())
def test_any_text_takes_one_line_and_comes_back(text: str) -> None:
    content = frame({"text": text}, "piece").decode()
    head, data, *rest = content.splitlines()
    assert head == "event: piece" and rest == [""]
    told = json.loads(data.removeprefix("data: "))["text"]
    assert told == text.encode("utf-8", "replace").decode()


@pytest.mark.parametrize("char", "\x85\u2028\u2029\x0b\x0c\x1c\x1d\x1e\r\n")
def test_what_ends_a_line_anywhere_is_written_out(char: str) -> None:
    assert encode(f"a{char}é").splitlines() == [encode(f"a{char}é")] and json.loads(encode(f"a{char}é")) == f"a{char}é"


@pytest.mark.parametrize("identifier", ["chatcmpl-18ea", "cmpl-18ea", "resp_18ea", "18ea"])
def test_the_id_of_an_answer_names_its_decision(identifier: str) -> None:
    assert decision_of(identifier) == "18ea"


def test_an_error_has_the_fields_that_clients_read() -> None:
    assert error_body(Refusal(400, "invalid_value", "no", "n")) == {
        "error": {"message": "no", "type": "invalid_request_error", "param": "n", "code": "invalid_value"}
    }


def test_tokens_are_told_as_far_as_they_were_counted() -> None:
    assert usage(Usage()) is None
    assert usage(Usage(2, None)) == {"prompt_tokens": 2, "completion_tokens": 0, "total_tokens": 2}
    told = usage(Usage(2, 3, reasoning_tokens=1, cached_tokens=0))
    assert told is not None and told["total_tokens"] == 5
    assert told["completion_tokens_details"] == {"reasoning_tokens": 1}
    assert told["prompt_tokens_details"] == {"cached_tokens": 0}


def test_a_token_is_told_with_its_bytes_and_a_finite_number() -> None:
    (told,) = logprobs([TokenLogprob("é", float("-inf"), (("e", -1.0),))])
    assert told["bytes"] == [195, 169] and told["logprob"] == -9999.0
    assert told["top_logprobs"] == [{"token": "e", "logprob": -1.0, "bytes": [101]}]
