"""What a front asks a real engine, and what comes back: llama.cpp's stream of one chat completion, piece by piece."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import aiohttp

from turnout.emulators.instance import ContextExceededError, EngineError
from turnout.emulators.questions import Question, message_text

_SAMPLING: Final = "temperature top_p top_k min_p seed presence_penalty frequency_penalty repeat_penalty".split()
_TOO_LONG: Final = "exceed_context_size_error"
_PATH: Final = "/v1/chat/completions"
_ONCE: Final = {"Connection": "close"}
"""llama.cpp closes a connection after a stream without saying so; one that was kept would be dead."""
_PATIENCE_S: Final = 60.0
"""Without a byte; a whole answer of these engines takes less than a second."""


class TooLongError(ContextExceededError):
    """The prompt does not fit: so many tokens of the prompt, and of the window."""

    def __init__(self, said: Mapping[str, Any]) -> None:
        super().__init__(str(said.get("message") or "the prompt does not fit the context window"))
        self.prompt_tokens = int(said.get("n_prompt_tokens") or 0)
        self.window = int(said.get("n_ctx") or 0)


@dataclass(frozen=True, slots=True)
class EngineModel:
    """What an engine tells of the file it runs. `context` is in tokens."""

    parameters: int
    size_bytes: int
    context: int


def engine_body(question: Question, body: Mapping[str, Any]) -> dict[str, Any]:
    """The request to the engine: the question's own words, and the sampling that the caller's body asks for."""
    told = {**body, **(body.get("options") or {})}
    messages = [{"role": turn.get("role"), "content": message_text(turn.get("content"))} for turn in question.messages]
    asked: dict[str, Any] = {name: told[name] for name in _SAMPLING if told.get(name) is not None}
    asked |= {"messages": messages, "stream": True, "stream_options": {"include_usage": True}}
    asked |= {"logprobs": True, "top_logprobs": max(1, int(told.get("top_logprobs") or 0))}  # without one it gives none
    if question.max_tokens is not None:
        asked["max_tokens"] = question.max_tokens
    if question.stop:
        asked["stop"] = list(question.stop)
    if question.schema is not None:
        schema = {"name": "answer", "schema": question.schema or {"type": "object"}}
        asked["response_format"] = {"type": "json_schema", "json_schema": schema}
    return asked


@dataclass(frozen=True, slots=True)
class RealEngine:
    """A running engine: where it listens, what it runs, and the session that asks it."""

    session: aiohttp.ClientSession
    address: str
    model: EngineModel

    async def events(self, body: Mapping[str, Any]) -> AsyncGenerator[dict[str, Any], None]:
        """The chunks of an answer while it is generated. Closing it (`aclosing`) ends the generation.

        Raises:
            TooLongError: the prompt does not fit.
            EngineError: the engine refuses, is gone, or broke off.
        """
        patience = aiohttp.ClientTimeout(total=None, sock_read=_PATIENCE_S)
        try:
            url = f"{self.address}{_PATH}"
            async with self.session.post(url, json=body, headers=_ONCE, timeout=patience) as response:
                if response.status != 200:
                    raise _refusal(await response.read())
                async for line in response.content:
                    if line.startswith(b"data: [DONE]"):
                        return
                    if line.startswith(b"data: "):
                        yield _chunk(line[6:])
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise EngineError(f"the engine broke off: {error}") from error
        raise EngineError("the engine broke off in its answer")


async def connected(session: aiohttp.ClientSession, address: str) -> RealEngine:
    """The engine at that address.

    Raises:
        EngineError: nothing there tells what it runs.
    """
    try:
        async with session.get(f"{address}/v1/models", headers=_ONCE) as response:
            told = (await response.json())["data"][0]["meta"]
            model = EngineModel(int(told["n_params"]), int(told["size"]), int(told["n_ctx"]))
    except (aiohttp.ClientError, TimeoutError, ValueError, LookupError, TypeError) as error:
        raise EngineError(f"the engine does not tell what it runs: {error}") from error
    return RealEngine(session, address, model)


def _chunk(data: bytes) -> dict[str, Any]:
    chunk: dict[str, Any] = json.loads(data)
    if "error" in chunk:
        raise _refusal(data)
    return chunk


def _refusal(body: bytes) -> EngineError:
    try:
        error = json.loads(body)["error"]
        return TooLongError(error) if error.get("type") == _TOO_LONG else EngineError(str(error.get("message")))
    except (ValueError, LookupError, TypeError, AttributeError):
        return EngineError(body.decode(errors="replace")[:200])
