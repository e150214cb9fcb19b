"""How Ollama answers a prompt: one pipeline of chunks, from which its native API and its `/v1` make their own."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Final

from aiohttp import web

from turnout.emulators.answers import Answer, Piece, ToolCall
from turnout.emulators.api_error import ApiError
from turnout.emulators.engine_run import Run
from turnout.emulators.language_model import LanguageModel
from turnout.emulators.ollama_base import OllamaBase, nanoseconds
from turnout.emulators.ollama_request import (
    Window,
    load_settings,
    read_format,
    read_keep_alive,
    read_options,
    read_think,
)
from turnout.emulators.questions import Question, last_user_text, read_stop, read_tools

_MOST_WINDOWS: Final = 10
"""Generation without a limit ends after this many context windows."""
_HELD_BACK: Final = 3
"""Pieces that wait while the beginning of a tool call might still become one."""


@dataclass(frozen=True, slots=True)
class Ask:
    """A request for an answer, checked. No messages: the model is only loaded, or unloaded by a keep-alive of 0."""

    name: str
    model: LanguageModel
    messages: Sequence[Mapping[str, Any]]
    tools: Sequence[Any]
    options: Mapping[str, Any]
    schema: Any
    think: bool
    keep_alive_s: float | None
    truncate: bool
    shift: bool
    logprobs: bool
    top_logprobs: int
    whole_prompt_is_cut: bool = False


@dataclass(frozen=True, slots=True)
class Chunk:
    """A part of the answer. The last one is `done` and has the metrics, those that are zero left out."""

    text: str = ""
    thinking: str = ""
    calls: tuple[ToolCall, ...] = ()
    logprobs: tuple[dict[str, Any], ...] = ()
    done: bool = False
    reason: str = ""
    metrics: Mapping[str, int] = field(default_factory=dict)


def read_ask(server: OllamaBase, body: Mapping[str, Any], messages: Sequence[Mapping[str, Any]], task: str) -> Ask:
    """Check what both endpoints share, in the order in which Ollama complains; `task` is chat or generate."""
    name = body.get("model") or ""
    model = server.model(name, empty="model is required" if task == "chat" else None)
    keep_alive_s = read_keep_alive(body.get("keep_alive"))
    think = read_think(body.get("think"))
    tools = body.get("tools") or []
    if model.is_embedding:
        raise ApiError(400, f'"{name}" does not support {task}')
    if tools and "tools" not in model.capabilities:
        raise ApiError(400, f"registry.ollama.ai/library/{model.name} does not support tools")
    if think and not model.thinks:
        raise ApiError(400, f'"{name}" does not support thinking')
    if think is None:
        think = model.thinks and server.since(0, 12, 4)
    truncate = body.get("truncate")
    return Ask(
        name=name,
        model=model,
        messages=messages,
        tools=tools,
        options=read_options(body),
        schema=None if "mlx" in model.name else read_format(body.get("format")),
        think=think,
        keep_alive_s=keep_alive_s,
        truncate=truncate is not False,
        shift=server.shifts(model, body.get("shift")),
        logprobs=bool(body.get("logprobs")) and server.since(0, 12, 11),
        top_logprobs=body.get("top_logprobs") or 0,
        whole_prompt_is_cut=task == "generate",
    )


async def chunks(server: OllamaBase, request: web.Request, ask: Ask) -> AsyncGenerator[Chunk, None]:
    """Load, fit the prompt into the window, generate. Close it (`aclosing`), so that the slot is free at once.

    Raises:
        ApiError: the prompt does not fit; before the first chunk.
        EngineError: the queue is full, or the load failed; before the first chunk.
    """
    if not ask.messages and ask.keep_alive_s == 0:
        server.engine.retire(ask.model.name)
        yield Chunk(done=True, reason="unload")
        return
    arrived = server.engine.clock.now()
    async with server.engine.use(
        ask.model,
        context=server.context_of(ask.model, ask.options),
        settings=load_settings(ask.options, ask.shift if server.since(0, 30) else None),
        slots=server.slots_of(ask.model),
        keep_alive_s=ask.keep_alive_s,
    ) as run:
        if not ask.messages:
            yield Chunk(done=True, reason="load")
            return
        messages, prompt_tokens = _window(server, ask, run.instance.context).fit(ask.messages, ask.tools)
        question = _question(ask, messages, prompt_tokens, run.instance.context)
        answer = server.answer(request, ask.model, question)
        sender = _Sender(ask, answer)
        async with aclosing(server.generate(run, question, answer)) as pieces:
            async for piece in pieces:
                for chunk in sender.chunks(piece):
                    yield chunk
        for chunk in sender.rest():
            yield chunk
        elapsed_s = server.engine.clock.now() - arrived
        yield Chunk(
            done=True,
            reason="length" if answer.finish == "length" else "stop",
            metrics=_metrics(server, ask, run, answer, elapsed_s),
        )


def _window(server: OllamaBase, ask: Ask, size: int) -> Window:
    window = Window(
        size=size,
        keep=max(0, ask.options.get("num_keep", 4)) + server.bos_tokens(ask.model),
        truncate=ask.truncate,
        shift=ask.shift,
        native=server.is_native(ask.model),
    )
    return window.of_generate() if ask.whole_prompt_is_cut else window


def _question(ask: Ask, messages: Sequence[Mapping[str, Any]], prompt_tokens: int, context: int) -> Question:
    room = _MOST_WINDOWS * context if ask.shift else max(1, context - prompt_tokens)
    limit = ask.options.get("num_predict", -1)
    return Question(
        prompt=last_user_text(messages),
        prompt_tokens=prompt_tokens,
        schema=ask.schema,
        tools=read_tools(ask.tools),
        tool_results=messages[-1].get("role") == "tool",
        think=ask.think,
        max_tokens=min(room, limit) if limit > 0 else room,
        stop=read_stop(ask.options.get("stop")),
        messages=messages,
    )


def _metrics(server: OllamaBase, ask: Ask, run: Run, answer: Answer, elapsed_s: float) -> dict[str, int]:
    # A thinking model under a schema is asked twice: freely until it has thought, then bound. Only the second counts.
    thought = sum(piece.kind == "thinking" for piece in answer.pieces) if ask.schema is not None else 0
    load_s = run.load_s + server.handover_s
    total_s = max(elapsed_s, load_s + run.wait_s + run.prefill_s + run.decode_s)
    shown = server.engine.clock.shown
    metrics = {
        "total_duration": nanoseconds(shown(total_s)),
        "load_duration": nanoseconds(shown(load_s)),
        "prompt_eval_count": answer.prompt_tokens,
        "prompt_eval_duration": nanoseconds(shown(run.prefill_s)),
        "eval_count": answer.tokens - thought,
        "eval_duration": nanoseconds(shown(run.decode_s)),
    }
    return {name: value for name, value in metrics.items() if value}


class _Sender:
    """Turns pieces into chunks: what is held back, and when, is not the client's to know.

    Log-probabilities leave with the piece that they belong to even when its text is held back, so that some chunks
    have them and no text.
    """

    def __init__(self, ask: Ask, answer: Answer) -> None:
        self._ask = ask
        self._answer = answer
        self._held = ""
        self._texts = 0

    def chunks(self, piece: Piece) -> Iterator[Chunk]:
        """What can be sent after one more piece."""
        logprobs = (self._logprob(piece),) if self._ask.logprobs else ()
        if piece.kind == "thinking":
            yield Chunk(thinking=piece.text, logprobs=logprobs)
            return
        if piece.kind == "text":
            self._texts += 1
            self._held += piece.text
            waits = self._texts < _HELD_BACK if self._ask.tools else self._ask.logprobs and self._texts % 5 == 0
            if not waits:
                yield Chunk(text=self._held, logprobs=logprobs)
                self._held = ""
                return
        if logprobs:
            yield Chunk(logprobs=logprobs)

    def rest(self) -> Iterator[Chunk]:
        """What was held back until the end: text, or whole tool calls."""
        if self._held:
            yield Chunk(text=self._held)
        if self._answer.calls:
            yield Chunk(calls=self._answer.calls)

    def _logprob(self, piece: Piece) -> dict[str, Any]:
        entry = _token(piece.text, piece.logprob)
        if self._ask.top_logprobs:
            entry["top_logprobs"] = [_token(*other) for other in piece.likeliest(self._ask.top_logprobs)]
        return entry


def _token(text: str, logprob: float) -> dict[str, Any]:
    return {"token": text, "logprob": round(logprob, 6), "bytes": list(text.encode(errors="replace"))}


@dataclass(slots=True)
class Whole:
    """An answer in one piece, gathered from chunks."""

    text: str = ""
    thinking: str = ""
    calls: tuple[ToolCall, ...] = ()
    logprobs: list[dict[str, Any]] = field(default_factory=list)
    last: Chunk = field(default_factory=Chunk)

    def add(self, chunk: Chunk) -> None:
        """Take in one more chunk."""
        self.text += chunk.text
        self.thinking += chunk.thinking
        self.calls += chunk.calls
        self.logprobs += chunk.logprobs
        self.last = chunk


def arguments_json(call: ToolCall) -> str:
    """The arguments as text, as `/v1` has them."""
    return json.dumps(call.arguments, ensure_ascii=False, separators=(",", ":"))
