"""Every error body that was seen becomes the error that it stands for; every other one becomes some error, quickly."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.errors import (
    AuthenticationError,
    BadRequestError,
    BusyError,
    ContextOverflowError,
    InternalError,
    LoadFailedError,
    NotFoundError,
    NotLoadedError,
    ProviderError,
    ProviderTimeoutError,
)
from turnout.providers.failures import MAX_MESSAGE_CHARS, MAX_RETRY_AFTER_S, Told, failure, retry_after_s, told_error

LONGEST_MESSAGE = MAX_MESSAGE_CHARS + len(" ... (HTTP 500)") + 10


def body(message: str, kind: str | None = None, code: Any = None, **more: Any) -> bytes:
    """An error as OpenAI and llama.cpp write it."""
    return json.dumps({"error": {"message": message, "type": kind, "code": code, **more}}).encode()


def text(message: str) -> bytes:
    """An error as Ollama and LM Studio write it."""
    return json.dumps({"error": message}).encode()


LLAMACPP = [
    pytest.param(
        400,
        body(
            "request (923 tokens) exceeds the available context size (256 tokens), try increasing it",
            *("exceed_context_size_error", 400),
            n_prompt_tokens=923,
            n_ctx=256,
        ),
        ContextOverflowError,
        id="prompt too long",
    ),
    pytest.param(
        400,
        body("[json.exception.parse_error.101] parse error at line 1, column 68", "invalid_request_error", 400),
        BadRequestError,
        id="no JSON",
    ),
    pytest.param(400, body("'messages' is required", "invalid_request_error", 400), BadRequestError, id="no messages"),
    pytest.param(
        400,
        body("Field 'n': Value must be between 1 <= value <= 2, but got 5", "invalid_request_error", 400),
        BadRequestError,
        id="more choices than slots",
    ),
    pytest.param(
        400,
        body(
            "Unable to generate parser for this template. Automatic parser generation failed: JSON schema error at #: "
            "unrecognized type wat",
            *("invalid_request_error", 400),
        ),
        BadRequestError,
        id="a schema that is none",
    ),
    pytest.param(
        400,
        body("top_logprobs requires logprobs to be set to true", "invalid_request_error", 400),
        BadRequestError,
        id="alternatives without log-probabilities",
    ),
    pytest.param(
        500,
        body('Failed to parse messages: Missing \'role\' in message: {"content":"x"}', "server_error", 500),
        BadRequestError,
        id="a message without role, as 500",
    ),
    pytest.param(
        500,
        body(
            "image input is not supported - hint: if this is unexpected, you may need to provide the mmproj",
            *("server_error", 500),
        ),
        BadRequestError,
        id="a picture, as 500",
    ),
    pytest.param(
        500,
        body("Failed to parse tools: Expected 'tools' to be an array, got 5; tools = 5", "server_error", 500),
        BadRequestError,
        id="bad tools, as 500",
    ),
    pytest.param(
        500,
        body("Failed to parse tool call arguments as JSON: unexpected end of input", "server_error", 500),
        BadRequestError,
        id="an earlier tool call without JSON, as 500",
    ),
    pytest.param(
        500, body("tools param requires --jinja flag", "server_error", 500), BadRequestError, id="tools without jinja"
    ),
    pytest.param(
        500,
        body("this custom template is not supported, try using --jinja", "server_error", 500),
        BadRequestError,
        id="a template without jinja",
    ),
    pytest.param(
        500,
        body(
            "input (901 tokens) is too large to process. increase the physical batch size (current batch size: 512)",
            *("server_error", 500),
        ),
        ContextOverflowError,
        id="a text too long to embed, as 500",
    ),
    pytest.param(
        501,
        body("This server does not support embeddings. Start it with `--embeddings`", "not_supported_error", 501),
        BadRequestError,
        id="embeddings off",
    ),
    pytest.param(401, body("Invalid API Key", "authentication_error", 401), AuthenticationError, id="a wrong key"),
    pytest.param(404, body("File Not Found", "not_found_error", 404), NotFoundError, id="an unknown path"),
    pytest.param(413, b"", BadRequestError, id="a body too large, without a word"),
    pytest.param(503, body("Loading model", "unavailable_error", 503), NotLoadedError, id="still loading"),
    pytest.param(503, body("no slot available", "unavailable_error", 503), BusyError, id="no slot"),
]
OLLAMA = [
    pytest.param(400, text("missing request body"), BadRequestError, id="no body"),
    pytest.param(400, text("model is required"), BadRequestError, id="no model"),
    pytest.param(400, text("invalid model name"), BadRequestError, id="a malformed name"),
    pytest.param(400, text("top_logprobs must be between 0 and 20"), BadRequestError, id="too many alternatives"),
    pytest.param(400, text('"m" does not support thinking'), BadRequestError, id="no thinking"),
    pytest.param(400, text('"nomic" does not support chat'), BadRequestError, id="an embedding model asked to chat"),
    pytest.param(
        400, text("registry.ollama.ai/library/m:latest does not support tools"), BadRequestError, id="no tools"
    ),
    pytest.param(404, text("model 'x' not found"), NotFoundError, id="an unknown model"),
    pytest.param(404, text('model "x" not found, try pulling it first'), NotFoundError, id="not pulled"),
    pytest.param(404, b"404 page not found", NotFoundError, id="an unknown path, as text"),
    pytest.param(405, b"405 method not allowed", BadRequestError, id="a wrong method"),
    pytest.param(
        503,
        text("server busy, please try again.  maximum pending requests exceeded"),
        BusyError,
        id="its queue is full",
    ),
    pytest.param(
        500,
        text("llama-server process has terminated: signal: killed"),
        LoadFailedError,
        id="the runner did not start",
    ),
    pytest.param(
        500,
        text("model requires more system memory (13.3 GiB) than is available (7.1 GiB)"),
        LoadFailedError,
        id="too large for the memory",
    ),
    pytest.param(500, text("timed out waiting for llama runner to start"), LoadFailedError, id="a load that stalls"),
    pytest.param(
        500,
        text("model runner has unexpectedly stopped, this may be due to resource limitations or an internal error"),
        InternalError,
        id="the runner died",
    ),
    pytest.param(
        500,
        text('option "temperature" must be of type float32'),
        BadRequestError,
        id="an option of the wrong type, as 500",
    ),
    pytest.param(
        400,
        text(
            '{"error":{"code":400,"message":"request (9000 tokens) exceeds the available context size (4096 tokens), '
            'try increasing it","type":"exceed_context_size_error","n_prompt_tokens":9000,"n_ctx":4096}}'
        ),
        ContextOverflowError,
        id="an error inside an error",
    ),
    pytest.param(
        400,
        text("the prompt is longer than the context length currently available to the model; shorten it"),
        ContextOverflowError,
        id="no shift",
    ),
    pytest.param(
        400, text("the input length exceeds the context length"), ContextOverflowError, id="a text too long to embed"
    ),
    pytest.param(403, b"", AuthenticationError, id="a host header it does not like"),
    pytest.param(
        400,
        body("image URLs are not currently supported", "invalid_request_error"),
        BadRequestError,
        id="v1: a picture",
    ),
    pytest.param(404, body('model "x" not found', "not_found_error"), NotFoundError, id="v1: an unknown model"),
    pytest.param(500, body("llama runner failed", "api_error"), InternalError, id="v1: a failure"),
    pytest.param(503, body("server busy, please try again.", "api_error"), BusyError, id="v1: its queue is full"),
    pytest.param(200, text("unexpected EOF"), InternalError, id="a failure in mid-stream"),
]
LMSTUDIO = [
    pytest.param(
        200, text("Unexpected endpoint or method. (GET /api/v9/models)"), NotFoundError, id="an unknown path, as 200"
    ),
    pytest.param(
        400, text("'response_format.type' must be 'json_schema' or 'text'"), BadRequestError, id="a mode it lacks"
    ),
    pytest.param(400, text("'url' field must be a base64 encoded image."), BadRequestError, id="a picture's address"),
    pytest.param(
        404,
        body('Model "x" not found. Please specify a valid model.', "invalid_request_error", "model_not_found"),
        NotFoundError,
        id="an unknown model",
    ),
    pytest.param(
        404,
        body("No models loaded. Please load a model in the developer page.", "invalid_request_error", None),
        NotLoadedError,
        id="nothing loaded",
    ),
    pytest.param(
        404,
        body('Failed to load model "x". Error: not enough memory', "invalid_request_error", "model_not_found"),
        LoadFailedError,
        id="a load that fails, as 404",
    ),
    pytest.param(
        400,
        body('Failed to load model "x". Error: guardrails', "invalid_request_error", None),
        LoadFailedError,
        id="a load that fails, as 400",
    ),
    pytest.param(
        400,
        text("Trying to keep the first 5000 tokens when context the overflows. However, the model is loaded with 4096"),
        ContextOverflowError,
        id="prompt too long, 0.3",
    ),
    pytest.param(
        400,
        text("The number of tokens to keep from the initial prompt is greater: n_keep: 5000>= n_ctx: 4096"),
        ContextOverflowError,
        id="prompt too long, early 0.4",
    ),
    pytest.param(
        200,
        b'{"error":{"message":"Input does not fit in context length. Try more."},"message":"Input does not fit"}',
        ContextOverflowError,
        id="prompt too long, in a stream",
    ),
    pytest.param(200, text("Context size has been exceeded."), ContextOverflowError, id="others filled the context"),
    pytest.param(
        500, body("The model has crashed", "internal_error", "unknown", param=None), InternalError, id="a failure"
    ),
    pytest.param(200, text("Model unloaded."), NotLoadedError, id="unloaded in mid-answer"),
    pytest.param(
        401,
        body("Malformed LM Studio API token", "invalid_request", "invalid_api_key"),
        AuthenticationError,
        id="a wrong key",
    ),
    pytest.param(200, body("no such thing", "model_not_found"), NotFoundError, id="native: an unknown model"),
    pytest.param(200, body("bad", "invalid_request"), BadRequestError, id="native: a bad request in a stream"),
    pytest.param(200, body("oops", "internal_error"), InternalError, id="native: a failure"),
    pytest.param(200, body("oops", "unknown"), InternalError, id="native: something"),
    pytest.param(200, body("oops", "mcp_connection_error"), InternalError, id="native: a tool server is away"),
    pytest.param(
        200,
        body("reasoning is not there yet", "not_implemented"),
        BadRequestError,
        id="native: not implemented",
    ),
]
CLOUDS = [
    pytest.param(
        400,
        body("This model's maximum context length is 8192 tokens.", "invalid_request_error", "context_length_exceeded"),
        ContextOverflowError,
        id="OpenAI: prompt too long",
    ),
    pytest.param(
        401,
        body("Incorrect API key provided", "invalid_request_error", "invalid_api_key"),
        AuthenticationError,
        id="OpenAI: a wrong key",
    ),
    pytest.param(
        429,
        body("You exceeded your current quota", "insufficient_quota", "insufficient_quota"),
        AuthenticationError,
        id="OpenAI: nothing paid",
    ),
    pytest.param(
        429, body("Rate limit reached", "requests", "rate_limit_exceeded"), BusyError, id="OpenAI: too many requests"
    ),
    pytest.param(
        404,
        body("The model `x` does not exist", "invalid_request_error", "model_not_found"),
        NotFoundError,
        id="OpenAI: an unknown model",
    ),
    pytest.param(500, body("The server had an error", "server_error"), InternalError, id="OpenAI: a failure"),
    pytest.param(
        400,
        body("prompt is too long: 210000 tokens > 200000 maximum", "invalid_request_error"),
        ContextOverflowError,
        id="Anthropic: prompt too long",
    ),
    pytest.param(529, body("Overloaded", "overloaded_error"), BusyError, id="Anthropic: overloaded"),
    pytest.param(200, body("Overloaded", "overloaded_error"), BusyError, id="Anthropic: overloaded in mid-stream"),
    pytest.param(402, body("pay", "billing_error"), AuthenticationError, id="Anthropic: nothing paid"),
    pytest.param(403, body("no", "permission_error"), AuthenticationError, id="Anthropic: not permitted"),
    pytest.param(413, body("too big", "request_too_large"), BadRequestError, id="Anthropic: a body too large"),
    pytest.param(
        400,
        b'{"object":"error","message":"maximum context length is 4096 tokens","type":"BadRequestError","code":400}',
        ContextOverflowError,
        id="vLLM, older: prompt too long",
    ),
    pytest.param(404, b'{"detail":"Not Found"}', NotFoundError, id="FastAPI: an unknown path"),
    pytest.param(422, b'{"detail":[{"loc":["body"],"msg":"field required"}]}', BadRequestError, id="FastAPI: a field"),
    pytest.param(502, b"<html><body><h1>502 Bad Gateway</h1></body></html>", InternalError, id="a gateway's page"),
    pytest.param(504, b"<html><body>upstream timed out</body></html>", ProviderTimeoutError, id="a gateway's patience"),
    pytest.param(408, b"", ProviderTimeoutError, id="a request too slow"),
    pytest.param(302, b"", BadRequestError, id="a redirect"),
    pytest.param(429, b"", BusyError, id="too many requests, without a word"),
    pytest.param(500, b"", InternalError, id="a failure, without a word"),
]


@pytest.mark.parametrize(("status", "content", "kind"), [*LLAMACPP, *OLLAMA, *LMSTUDIO, *CLOUDS])
def test_a_body_that_was_seen_becomes_the_error_it_stands_for(
    status: int, content: bytes, kind: type[ProviderError]
) -> None:
    error = failure(status, content)
    assert type(error) is kind
    assert error.message


# What the error carries


def test_the_error_says_who_failed_with_which_status_and_what_had_arrived() -> None:
    error = failure(
        503,
        text("server busy"),
        headers={"retry-after": "7"},
        provider="ollama",
        model="qwen3:4b",
        partial_text="half an",
    )
    assert str(error) == "ollama/qwen3:4b: server busy (HTTP 503)"
    assert (error.status, error.retry_after_s, error.partial_text) == (503, 7.0, "half an")
    assert error.retryable


def test_an_error_inside_an_answer_does_not_quote_the_status() -> None:
    assert failure(200, text("Model unloaded.")).message == "Model unloaded."


def test_a_time_limit_of_the_provider_is_marked_as_its_own() -> None:
    error = failure(504, b"", provider="cloud", model="m", partial_text="so far")
    assert isinstance(error, ProviderTimeoutError)
    assert (error.phase, error.candidate, error.partial_text) == ("provider", "cloud/m", "so far")


def test_an_error_inside_an_error_is_told_in_its_own_words() -> None:
    inner = json.dumps({"error": {"message": "the inner words", "code": 400}})
    assert failure(400, text(inner)).message == "the inner words (HTTP 400)"


def test_a_web_page_is_told_without_its_tags() -> None:
    page = b"<html>\n<head><title>502 Bad Gateway</title></head>\r\n<body>\n<hr>nginx</body></html>"
    assert failure(502, page).message == "502 Bad Gateway nginx (HTTP 502)"


def test_a_body_without_a_word_says_so() -> None:
    assert failure(500, b"").message == "an empty answer (HTTP 500)"
    assert failure(500, b" \r\n ").message == "an empty answer (HTTP 500)"
    assert failure(500, b'{"error": {}}').message == "an error without a text (HTTP 500)"


def test_a_message_at_the_top_is_told_in_its_words() -> None:
    assert failure(400, b'{"object":"error","message":"no such parameter"}').message == "no such parameter (HTTP 400)"


# What counts as an error


@pytest.mark.parametrize(
    "document",
    [
        {"choices": []},
        {"error": None, "choices": []},
        {"error": ""},
        {"error": False},
        {"error": 0},
        {"error": []},
        {},
        [],
        "error",
        7,
        None,
        [{"error": "x"}],
        {"message": {"role": "assistant", "content": "error"}},
    ],
)
def test_an_answer_is_no_error(document: Any) -> None:
    assert told_error(document) is None


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ({"error": "words"}, Told("words")),
        ({"error": {"message": "words", "type": "t", "code": 3}}, Told("words", ("t", "3"))),
        ({"error": {"message": "words", "type": None, "code": None}}, Told("words")),
        ({"error": {}}, Told("an error without a text")),
        ({"error": {"error": "words"}}, Told("words")),
        ({"error": {"code": "c"}, "message": "words"}, Told("words", ("c",))),
        ({"error": ["a", 1]}, Told('["a", 1]')),
        ({"error": True}, Told("true")),
        ({"error": 500}, Told("500")),
        ({"error": '{"error": "inner"}'}, Told("inner")),
        ({"error": '{"no": "error"}'}, Told('{"no": "error"}')),
        ({"error": "{broken"}, Told("{broken")),
        ({"error": '["a"]'}, Told('["a"]')),
        ({"detail": "words"}, Told("words")),
    ],
)
def test_an_error_is_read_in_every_shape(document: Any, told: Told) -> None:
    assert told_error(document) == told


# Hostile bodies


HOSTILE = {
    "nothing": b"",
    "a nul": b"\x00",
    "every byte": bytes(range(256)) * 20,
    "a deep list": b"[" * 200_000,
    "a deep list that is closed": b"[" * 100_000 + b"]" * 100_000,
    "a deep object": b'{"error":' * 100_000 + b"1" + b"}" * 100_000,
    "a deep error": b'{"error":' + b"[" * 900 + b"]" * 900 + b"}",
    "a deep message": b'{"error":{"message":' + b"[" * 900 + b"]" * 900 + b"}}",
    "a deep type": b'{"error":{"type":' + b'{"a":' * 900 + b"1" + b"}" * 902,
    "errors in errors": text(text(text(text(text("x").decode()).decode()).decode()).decode()),
    "much text": b"x " * 100_000,
    "a long message": text("x" * 100_000),
    "a long page": b"<html>" + b"<p>word</p>" * 20_000,
    "a number of ten thousand digits": b'{"error":' + b"9" * 10_000 + b"}",
    "not a number": b'{"error":NaN}',
    "a text": b'"error"',
    "a list": b'[{"error":"x"}]',
    "a number": b"42",
    "nothing in JSON": b"null",
    "true": b"true",
    "sixteen bits": '{"error":"x"}'.encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf" + text("model 'x' not found"),
    "half a JSON": b'{"error":{"message":"x',
    "half a letter": b'{"error":"\xf0\x9f"}',
    "a lone surrogate": b'{"error":"\\ud800"}',
    "keys of other types": b'{"error":{"message":{"a":[1]},"type":[2],"code":{"b":null}}}',
    "an error of errors": b'{"error":{"error":{"error":{}}}}',
    "the same key twice": b'{"error":"a","error":{"message":"b"}}',
    "control characters": b"\x1b[31mred\x07\r\nSet-Cookie: x",
}


@pytest.mark.parametrize("status", [200, 302, 400, 404, 500, 503, 504, 999])
@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_body_gives_an_error_with_a_short_message(status: int, content: bytes) -> None:
    error = failure(status, content)
    assert isinstance(error, ProviderError)
    assert 0 < len(error.message) <= LONGEST_MESSAGE
    assert str(error)


def test_what_was_read_out_of_a_frame_is_cut_as_well() -> None:
    assert len(failure(200, Told("x" * 100_000)).message) <= LONGEST_MESSAGE


@pytest.mark.parametrize(
    "content",
    [text("model " * 50_000), b"<" * 20_000],
    ids=["words that begin a pattern, 300 kB of them", "twenty thousand brackets that never close"],
)
def test_a_hostile_text_does_not_stop_the_event_loop(content: bytes) -> None:
    before = time.thread_time()
    failure(500, content)
    assert time.thread_time() - before < 0.1


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["error", "message", "type", "code", "detail", "param"]) | st.text(max_size=5),
            inner,
            max_size=4,
        )
    ),
    max_leaves=15,
)


@given(st.integers(0, 999), st.binary(max_size=300))
def test_any_bytes_with_any_status_are_an_error_of_bounded_length(status: int, content: bytes) -> None:
    error = failure(status, content)
    assert isinstance(error, ProviderError)
    assert 0 < len(error.message) <= LONGEST_MESSAGE
    assert type(failure(status, content)) is type(error)


@given(st.sampled_from([200, 400, 404, 429, 500, 501, 503]), JSON)
def test_any_json_with_any_status_is_an_error_of_bounded_length(status: int, document: Any) -> None:
    error = failure(status, json.dumps(document).encode())
    assert 0 < len(error.message) <= LONGEST_MESSAGE
    told = told_error(json.loads(json.dumps(document)))
    assert told is None or type(failure(status, told)) is type(error)


@given(st.integers(400, 599), st.text(max_size=40))
def test_the_wording_of_a_plain_text_never_hides_the_status(status: int, words: str) -> None:
    assert failure(status, text(words or "x")).message.endswith(f"(HTTP {status})")


# When to come back


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": " 2.5 "}, 2.5),
        ({"retry-after": "1e1"}, 10.0),
        ({"retry-after-ms": "250"}, 0.25),
        ({"retry-after-ms": "250", "retry-after": "7"}, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "7"}, 7.0),
        ({"retry-after-ms": "nan", "retry-after": "7"}, 7.0),
        ({"retry-after": "-5"}, 0.0),
        ({"retry-after": "-inf"}, 0.0),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, MAX_RETRY_AFTER_S),
        ({"retry-after": "1e308"}, MAX_RETRY_AFTER_S),
        ({"retry-after": "9" * 400}, MAX_RETRY_AFTER_S),
        ({"retry-after": "86400"}, MAX_RETRY_AFTER_S),
        ({"retry-after": "soon"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "1, 2"}, None),
        ({"retry-after": "0x10"}, None),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
        ({"retry-after": "Fri, 31 Dec 9999 23:59:59 GMT"}, MAX_RETRY_AFTER_S),
        ({"retry-after": "Mon, 01 Jan 0001 00:00:00 +2359"}, 0.0),
        ({"retry-after": "Fri, 99 Dec 2024 99:99:99 GMT"}, None),
        ({"retry-after": "Wed, 21 Oct"}, None),
    ],
)
def test_seconds_to_wait_are_read_in_every_form(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_s(headers) == seconds


@pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=5, minutes=30))])
def test_a_date_is_seconds_from_now(zone: timezone) -> None:
    when = format_datetime(datetime.now(zone) + timedelta(seconds=60), usegmt=zone is UTC)
    seconds = retry_after_s({"retry-after": when})
    assert seconds is not None and 50 < seconds <= 60


def test_header_names_are_taken_in_any_case() -> None:
    assert failure(429, b"", headers=httpx.Headers({"Retry-After": "3"})).retry_after_s == 3.0


WORDS = st.sampled_from(
    [
        "Mon,",
        "31",
        "Dec",
        "9999",
        "0",
        "23:59:59",
        "1.2.3.4",
        "-",
        "+",
        "GMT",
        "-0000",
        "+9999",
        "(",
        '"',
        "",
        "::",
        "-2:-3",
    ]
)


@given(st.lists(WORDS, max_size=8).map(" ".join) | st.text(max_size=30))
def test_any_header_gives_a_bounded_wait_or_none(value: str) -> None:
    seconds = retry_after_s({"retry-after": value})
    assert seconds is None or 0 <= seconds <= MAX_RETRY_AFTER_S
