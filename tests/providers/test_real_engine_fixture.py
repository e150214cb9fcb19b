"""The real engine itself: what tests of adapters may rely on when they talk to it."""

from __future__ import annotations

import importlib.util
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.real_engine import END_TOKEN, NAME, Engine, prompt_tokens, require_engine, write_model

HELLO = ("user", "Hello there, wie gehts? 👋")
VERDICT = {
    "type": "object",
    "properties": {"good": {"type": "boolean"}, "size": {"enum": ["small", "big"]}},
    "required": ["good", "size"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def client(llama_engine: Engine) -> Iterator[httpx.Client]:
    with connect(llama_engine) as client:
        yield client


def connect(engine: Engine) -> httpx.Client:
    return httpx.Client(base_url=engine.url, headers=engine.headers, timeout=20, trust_env=False)


def question(*messages: tuple[str, str], **fields: Any) -> dict[str, Any]:
    told = [{"role": role, "content": content} for role, content in messages or (HELLO,)]
    return {"messages": told, "max_tokens": 12} | fields


def ask(client: httpx.Client, *messages: tuple[str, str], **fields: Any) -> dict[str, Any]:
    response = client.post("/v1/chat/completions", json=question(*messages, **fields))
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def text(answer: dict[str, Any]) -> str:
    return str(answer["choices"][0]["message"]["content"])


def events(response: httpx.Response) -> Iterator[str]:
    return (line.removeprefix("data: ") for line in response.iter_lines() if line)


def metric(client: httpx.Client, name: str) -> float:
    lines = client.get("/metrics").text.splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(f"llamacpp:{name} "))


def wait_for(condition: Callable[[], bool], seconds: float = 10.0) -> bool:
    deadline = time.monotonic() + seconds
    while not (met := condition()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return met


# The model


def test_the_model_is_half_a_megabyte_and_follows_from_its_seed(tmp_path: Path) -> None:
    require_engine()
    first, again, other = (
        write_model(tmp_path / f"{n}.gguf", seed=seed).read_bytes() for n, seed in enumerate((0, 0, 1))
    )
    assert first == again != other
    assert 400_000 < len(first) < 600_000


def test_one_token_is_one_byte_of_text(client: httpx.Client) -> None:
    content = "naïve 👋\n\x00 \ttabs"
    tokens = client.post("/tokenize", json={"content": content}).json()["tokens"]
    assert len(tokens) == len(content.encode())
    assert client.post("/detokenize", json={"tokens": tokens}).json()["content"] == content


def test_the_chat_template_is_one_line_for_each_message(client: httpx.Client) -> None:
    prompt = client.post("/apply-template", json=question(("system", "Be kind."), ("user", "Hi"))).json()["prompt"]
    assert prompt == "<|system|>Be kind.\n<|user|>Hi\n<|assistant|>"


# Answers


def test_a_chat_is_answered_with_usage(client: httpx.Client) -> None:
    answer = ask(client)
    assert answer["object"] == "chat.completion"
    assert answer["choices"][0]["finish_reason"] == "length"
    assert len(text(answer)) == 12
    assert text(answer).isprintable() and text(answer).isascii()
    usage = answer["usage"]
    assert (usage["prompt_tokens"], usage["completion_tokens"]) == (prompt_tokens(HELLO), 12)
    assert usage["total_tokens"] == prompt_tokens(HELLO) + 12


def test_log_probabilities_come_for_each_token(client: httpx.Client) -> None:
    answer = ask(client, logprobs=True, top_logprobs=3)
    entries = answer["choices"][0]["logprobs"]["content"]
    assert "".join(entry["token"] for entry in entries) == text(answer)
    for entry in entries:
        assert bytes(entry["bytes"]).decode() == entry["token"]
        best = [other["logprob"] for other in entry["top_logprobs"]]
        assert len(best) == 3
        assert 0 > best[0] >= best[1] >= best[2]
        assert entry["logprob"] <= best[0]


def test_greedy_answers_are_the_same_from_another_process(
    client: httpx.Client, start_llama: Callable[..., Engine]
) -> None:
    with connect(start_llama(slots=1)) as other:
        assert text(ask(client, temperature=0)) == text(ask(other, temperature=0))


def test_a_seed_decides_what_is_drawn(client: httpx.Client) -> None:
    # The cached prompt is read in one step more than a fresh one, which may round a probability differently.
    drawn = [text(ask(client, seed=seed, max_tokens=40, cache_prompt=False)) for seed in (1, 1, 2, 2, 3)]
    assert drawn[0] == drawn[1] and drawn[2] == drawn[3]
    assert len(set(drawn)) == 3


def test_an_answer_ends_at_the_end_token_or_a_stop_text(client: httpx.Client) -> None:
    ended = ask(client, logit_bias={str(END_TOKEN): 100})
    assert (text(ended), ended["choices"][0]["finish_reason"]) == ("", "stop")
    whole = text(ask(client, temperature=0))
    stopped = ask(client, temperature=0, stop=[whole[3:6]])
    assert text(stopped) == whole[: whole.index(whole[3:6])]
    assert stopped["choices"][0]["finish_reason"] == "stop"


def test_a_model_can_be_made_that_ends_its_answers_itself(start_llama: Callable[..., Engine], tmp_path: Path) -> None:
    with connect(start_llama(write_model(tmp_path / "brief.gguf", end_bias=3.0))) as client:
        answers = [ask(client, seed=seed, max_tokens=400) for seed in range(4)]
    assert {answer["choices"][0]["finish_reason"] for answer in answers} == {"stop"}
    assert len({answer["usage"]["completion_tokens"] for answer in answers}) > 1


def test_an_answer_without_a_limit_fills_the_window(client: httpx.Client) -> None:
    answer = ask(client, max_tokens=None)
    assert answer["usage"]["total_tokens"] == 512
    assert answer["choices"][0]["finish_reason"] == "length"


@pytest.mark.parametrize("seed", range(4))
def test_a_json_schema_is_enforced(client: httpx.Client, seed: int) -> None:
    wanted = {"type": "json_schema", "json_schema": {"name": "verdict", "strict": True, "schema": VERDICT}}
    answer = ask(client, seed=seed, max_tokens=400, response_format=wanted)
    assert answer["choices"][0]["finish_reason"] == "stop"
    verdict = json.loads(text(answer))
    assert verdict.keys() == {"good", "size"}
    assert isinstance(verdict["good"], bool)
    assert verdict["size"] in {"small", "big"}


def test_a_stream_ends_with_a_usage_chunk(client: httpx.Client) -> None:
    body = question(stream=True, stream_options={"include_usage": True}, logprobs=True, top_logprobs=1, temperature=0)
    with client.stream("POST", "/v1/chat/completions", json=body) as response:
        assert response.headers["content-type"] == "text/event-stream"
        *chunks, usage, done = events(response)
    assert done == "[DONE]"
    choices = [json.loads(chunk)["choices"][0] for chunk in chunks]
    assert choices[0]["delta"] == {"role": "assistant", "content": None}
    assert choices[-1]["finish_reason"] == "length"
    assert "".join(choice["delta"].get("content") or "" for choice in choices) == text(ask(client, temperature=0))
    assert sum(len(choice.get("logprobs", {}).get("content", ())) for choice in choices) == 12
    last = json.loads(usage)
    assert last["choices"] == []
    assert (last["usage"]["prompt_tokens"], last["usage"]["completion_tokens"]) == (prompt_tokens(HELLO), 12)


def test_any_model_name_is_answered_under_the_engines_own(client: httpx.Client) -> None:
    assert ask(client, model="no-such-model")["model"] == NAME


# Refusals


@pytest.mark.parametrize("stream", [False, True])
def test_a_prompt_over_the_window_is_refused_with_both_lengths(client: httpx.Client, stream: bool) -> None:
    long = ("user", "word " * 200)
    response = client.post("/v1/chat/completions", json=question(long, stream=stream))
    assert response.status_code == 400
    error = response.json()["error"]
    assert error["type"] == "exceed_context_size_error"
    assert (error["n_prompt_tokens"], error["n_ctx"]) == (prompt_tokens(long), 512)


@pytest.mark.parametrize(
    ("body", "status", "part"),
    [
        (b'{"messages": [', 400, "parse error"),
        (b"", 400, "parse error"),
        (b'{"messages": [{"role": "user", "content": "\xff"}]}', 400, "ill-formed UTF-8"),
        (b'{"messages": [{"role": "user", "content": "\\ud800"}]}', 400, "surrogate"),
        (b"{}", 400, "'messages' is required"),
        (b'{"messages": "hi"}', 400, "Expected 'messages' to be an array"),
        (b'{"messages": [{"role": "user", "content": "x"}], "max_tokens": "two"}', 400, "must be number"),
        (
            b'{"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]}',
            500,
            "image input is not supported",
        ),
    ],
    ids=["cut off", "empty", "no UTF-8", "lone surrogate", "no messages", "no list", "wrong type", "image"],
)
def test_a_bad_request_is_refused_with_a_reason(client: httpx.Client, body: bytes, status: int, part: str) -> None:
    response = client.post("/v1/chat/completions", content=body, headers={"Content-Type": "application/json"})
    assert (response.status_code, response.json()["error"]["code"]) == (status, status)
    assert part in response.json()["error"]["message"]


def test_with_keys_only_health_is_open(start_llama: Callable[..., Engine]) -> None:
    engine = start_llama(api_keys=["sk-right", "sk-also-right"], slots=1)
    with connect(engine) as client:
        assert len(text(ask(client))) == 12
        for headers in ({"Authorization": "Bearer sk-wrong"}, {"Authorization": ""}):
            response = client.post("/v1/chat/completions", json=question(), headers=headers)
            assert response.status_code == 401
            assert response.json()["error"]["type"] == "authentication_error"
            assert client.get("/v1/models", headers=headers).status_code == 401
            assert client.get("/health", headers=headers).status_code == 200


def test_without_jinja_its_template_and_tools_are_refused(start_llama: Callable[..., Engine]) -> None:
    tool = {"type": "function", "function": {"name": "add", "parameters": {"type": "object", "properties": {}}}}
    with connect(start_llama(jinja=False, slots=1)) as client:
        for fields, part in (({}, "template is not supported"), ({"tools": [tool]}, "tools param requires --jinja")):
            response = client.post("/v1/chat/completions", json=question(**fields))
            assert response.status_code == 500
            assert part in response.json()["error"]["message"]


# Other paths


def test_it_says_that_it_is_healthy_and_what_it_serves(client: httpx.Client) -> None:
    assert client.get("/health").json() == {"status": "ok"}
    (model,) = client.get("/v1/models").json()["data"]
    assert model["id"] == NAME
    assert model["meta"]["n_ctx_train"] == 512
    properties = client.get("/props").json()
    assert (properties["total_slots"], properties["default_generation_settings"]["n_ctx"]) == (2, 512)


def test_embeddings_can_be_had_from_an_engine_that_makes_them(
    client: httpx.Client, start_llama: Callable[..., Engine]
) -> None:
    assert client.post("/v1/embeddings", json={"input": "cat"}).status_code == 501
    with connect(start_llama(embeddings=True)) as other:
        answer = other.post("/v1/embeddings", json={"input": ["cat", "dog", "cat"]}).json()
    cat, dog, again = (entry["embedding"] for entry in answer["data"])
    assert len(cat) == len(dog) == 64
    assert cat == pytest.approx(again, abs=1e-5)
    assert cat != pytest.approx(dog, abs=1e-2)


# Slots, lost clients, crashes


@pytest.fixture
def long_winded(start_llama: Callable[..., Engine], tmp_path: Path) -> Engine:
    """An engine with one slot whose answers can take much longer than any test."""
    return start_llama(write_model(tmp_path / "long.gguf", context_length=8192), slots=1, context=8192)


def test_requests_beyond_the_slots_wait_and_a_closed_stream_frees_its_slot(long_winded: Engine) -> None:
    with connect(long_winded) as client, connect(long_winded) as watcher, connect(long_winded) as waiting:
        endless = client.build_request("POST", "/v1/chat/completions", json=question(max_tokens=8000, stream=True))
        first = client.send(endless, stream=True)
        received = events(first)
        next(received)
        with pytest.raises(httpx.ReadTimeout):
            waiting.post("/v1/chat/completions", json=question(), timeout=0.3)
        assert metric(watcher, "requests_processing") == 1
        first.close()
        assert wait_for(lambda: metric(watcher, "requests_processing") == metric(watcher, "requests_deferred") == 0)
        assert metric(watcher, "tokens_predicted_total") < 8000
        assert len(text(ask(waiting))) == 12


def test_a_killed_engine_breaks_its_streams_and_can_come_back_at_its_address(
    long_winded: Engine, start_llama: Callable[..., Engine]
) -> None:
    with connect(long_winded) as client:
        body = question(max_tokens=8000, stream=True)
        with (
            pytest.raises(httpx.RemoteProtocolError),
            client.stream("POST", "/v1/chat/completions", json=body) as response,
        ):
            received = events(response)
            next(received)
            long_winded.kill()
            for _ in received:
                pass
        with pytest.raises(httpx.ConnectError):
            client.get("/health")
        assert start_llama(slots=1, port=long_winded.port).url == long_winded.url
        assert client.get("/health").status_code == 200


def test_an_engine_that_is_stopped_ends_by_itself(start_llama: Callable[..., Engine]) -> None:
    engine = start_llama(slots=1)
    engine.stop()
    engine.stop()
    assert engine.process.returncode == 0
    assert "model loaded" in engine.log.read_text(encoding="utf-8")


def test_an_engine_that_cannot_start_tells_why(start_llama: Callable[..., Engine], tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"failed to load model[\s\S]*missing\.gguf"):
        start_llama(tmp_path / "missing.gguf")


@pytest.mark.parametrize(("in_ci", "outcome"), [("", pytest.skip.Exception), ("true", pytest.fail.Exception)])
def test_a_missing_engine_skips_and_fails_in_ci(
    in_ci: str, outcome: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", in_ci)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(outcome, match="pip install xllamacpp gguf"):
        require_engine()
