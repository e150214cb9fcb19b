"""LiteLLM, unchanged, in front of the gateway, over both dialects.

It pins another version of OpenAI's client than ours, so it lives in a virtual environment of its own that is made once.
"""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.gateway.processes import PATIENCE_S
from tests.gateway.world import (
    ASKS_FOR_WEATHER,
    CHATTING,
    EMBEDDER,
    FAST,
    LONG,
    PIXEL,
    PLAIN,
    SEER,
    SHORT,
    THINKER,
    WEATHER,
    World,
)

pytestmark = pytest.mark.slow

WANTED = ("litellm>=1.60,<2", "mcp")  # without the second one it fails where tools are given
DIALECTS = ("openai", "ollama_chat")
ASK = [{"role": "user", "content": SHORT}]
ASK_WEATHER = [{"role": "user", "content": ASKS_FOR_WEATHER}]
SCHEMA = {
    "type": "object",
    "properties": {"answer": {"type": "string"}},
    "required": ["answer"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def python(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python that has LiteLLM; made by whichever test process comes first, and kept for the next run."""
    cache = pytestconfig.cache
    folder = tmp_path_factory.getbasetemp().parent if cache is None else cache.mkdir("litellm")
    found, ready = folder / "venv" / "bin" / "python", folder / "ready"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not ready.exists() or ready.read_text(encoding="utf-8") != " ".join(WANTED):
            subprocess.run([sys.executable, "-m", "venv", "--clear", folder / "venv"], check=True)
            made = subprocess.run([found, "-m", "pip", "install", "-q", *WANTED], capture_output=True, text=True)
            if made.returncode and os.environ.get("TURNOUT_REQUIRE_LITELLM") != "1":
                pytest.skip(f"LiteLLM could not be installed: {made.stderr.strip()[-300:]}")
            assert made.returncode == 0, made.stderr
            ready.write_text(" ".join(WANTED), encoding="utf-8")
    return found


@dataclass
class LiteLLM:
    """LiteLLM in a process of its own."""

    process: subprocess.Popen[str]
    world: World

    def __call__(self, call: str, dialect: str, model: str, **more: Any) -> dict[str, Any]:
        base = self.world.url + ("/v1" if dialect == "openai" else "")
        arguments = {"model": f"{dialect}/{model}", "api_base": base, "api_key": "none", **more}
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps({"call": call, "arguments": arguments}) + "\n")
        self.process.stdin.flush()
        limit = threading.Timer(PATIENCE_S, self.process.kill)
        limit.start()
        try:
            for line in self.process.stdout:  # it likes to print things of its own
                if line.startswith("\x00"):
                    told: dict[str, Any] = json.loads(line[1:])
                    return told
        finally:
            limit.cancel()
        raise AssertionError("LiteLLM has ended, or was ended because it did not answer")

    def chat(self, dialect: str, model: str, messages: list[Any], **more: Any) -> dict[str, Any]:
        """One whole chat completion."""
        told = self("completion", dialect, model, messages=messages, **more)
        assert "answer" in told, told
        answer: dict[str, Any] = told["answer"]
        return answer


@pytest.fixture(scope="module")
def driver(python: Path) -> Iterator[subprocess.Popen[str]]:
    script = Path(__file__).with_name("litellm_driver.py")
    quiet = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "OLLAMA_"))}
    with subprocess.Popen(
        [python, script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=quiet,
    ) as process:
        yield process
        process.kill()


@pytest.fixture
def litellm(driver: subprocess.Popen[str], world: World) -> LiteLLM:
    return LiteLLM(driver, world)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("name", ["auto", "auto-fast", *CHATTING, "developer"])
def test_a_chat_is_answered(litellm: LiteLLM, dialect: str, name: str) -> None:
    made = litellm.chat(dialect, name, ASK)
    assert made["choices"][0]["message"]["content"] and made["choices"][0]["finish_reason"] == "stop"
    assert made["usage"]["completion_tokens"] > 0


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_stream_says_the_same_in_pieces(litellm: LiteLLM, dialect: str) -> None:
    whole = litellm.chat(dialect, "auto", ASK)["choices"][0]["message"]["content"]
    options = {"stream": True, "stream_options": {"include_usage": True}}
    chunks = litellm("completion", dialect, "auto", messages=ASK, **options)["chunks"]
    said = [choice["delta"]["content"] or "" for chunk in chunks for choice in chunk["choices"]]
    assert "".join(said) == whole
    assert any(chunk.get("usage") for chunk in chunks)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("name", [FAST, PLAIN])
def test_a_tool_is_called_and_its_result_is_answered(litellm: LiteLLM, dialect: str, name: str) -> None:
    asked = litellm.chat(dialect, name, ASK_WEATHER, tools=[WEATHER])["choices"][0]["message"]
    (call,) = asked["tool_calls"]
    assert call["function"]["name"] == "get_weather" and "city" in json.loads(call["function"]["arguments"])
    result = {"role": "tool", "tool_call_id": call["id"], "name": "get_weather", "content": "rain"}
    made = litellm.chat(dialect, name, [*ASK_WEATHER, asked, result], tools=[WEATHER])
    assert made["choices"][0]["message"]["content"]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_an_answer_follows_a_schema(litellm: LiteLLM, dialect: str) -> None:
    wanted = {"type": "json_schema", "json_schema": {"name": "fact", "schema": SCHEMA, "strict": True}}
    made = litellm.chat(dialect, "auto", ASK, response_format=wanted)
    assert set(json.loads(made["choices"][0]["message"]["content"])) == {"answer"}


def test_texts_are_embedded(litellm: LiteLLM) -> None:
    for dialect in ("openai", "ollama"):
        for name in ("auto", EMBEDDER):
            made = litellm("embedding", dialect, name, input=["one", "two"])
            assert len(made["answer"]["data"]) == 2, made


def test_pictures_and_thoughts_pass(litellm: LiteLLM) -> None:
    part = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}
    look = [{"role": "user", "content": [{"type": "text", "text": "what is it?"}, part]}]
    assert litellm.chat("openai", "auto", look)["model"] == SEER
    thought = litellm.chat("openai", THINKER, ASK, reasoning_effort="high", allowed_openai_params=["reasoning_effort"])
    assert thought["choices"][0]["message"]["reasoning_content"]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_an_unknown_name_is_not_found(litellm: LiteLLM, dialect: str) -> None:
    told = litellm("completion", dialect, "nobody", messages=ASK)
    assert told["status"] == 404 or "no language model is named" in told["message"], told


def test_a_value_of_no_use_is_a_bad_request(litellm: LiteLLM) -> None:
    told = litellm("completion", "openai", "auto", messages=ASK, n=3)
    assert "BadRequestError" in told["error"] and "n: one answer" in told["message"]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_nobody_is_asked_over_and_over_when_all_fail(litellm: LiteLLM, dialect: str) -> None:
    litellm.world.fails("error_500")
    before = litellm.world.calls()
    assert "every attempt failed" in litellm("completion", dialect, "auto", messages=ASK)["message"]
    assert litellm.world.calls() - before <= len(CHATTING)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_stream_that_breaks_ends_in_an_exception(litellm: LiteLLM, dialect: str) -> None:
    litellm.world.fails("reset_mid_stream")
    told = litellm("completion", dialect, "auto", messages=[{"role": "user", "content": LONG}], stream=True)
    assert "error" in told, told


def test_responses_are_answered(litellm: LiteLLM) -> None:
    made = litellm("responses", "openai", "auto", input=SHORT)["answer"]
    assert made["status"] == "completed" and made["output"][0]["content"][0]["text"]
