"""LM Studio's chat completions: `/v1` in OpenAI's shape, `/api/v0` with statistics added."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from aiohttp import web

from turnout.emulators.answers import Answer, Piece, ToolCall
from turnout.emulators.api_error import ApiError
from turnout.emulators.call import CALL
from turnout.emulators.engine_run import Run
from turnout.emulators.language_model import LanguageModel
from turnout.emulators.lmstudio_base import LMStudioBase
from turnout.emulators.lmstudio_request import Body, check_images, read_chat
from turnout.emulators.questions import Question, read_openai_chat

V0: Final = "/api/v0/"
_RUNTIME: Final = {"name": "llama.cpp-linux-x86_64-nvidia-cuda-avx2", "version": "2.14.0"}


class ChatRoutes:
    """Chat completions over one LM Studio."""

    def __init__(self, studio: LMStudioBase) -> None:
        self._studio = studio

    def routes(self) -> Sequence[web.RouteDef]:
        """The routes that the version has."""
        paths = ["/v1/chat/completions"]
        if self._studio.version.since(0, 3, 6):
            paths.append(f"{V0}chat/completions")
        return [web.post(path, self._chat) for path in paths]

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        studio = self._studio
        body = read_chat(request[CALL], studio.version)
        chosen = studio.choose(body.get("model"))
        check_images(body["messages"], vision="vision" in chosen.model.capabilities)
        question = read_openai_chat(body, think=self._thinks(chosen.model, body))
        made = studio.answer(request, chosen.model, question)
        if self._reasoning_field(chosen.model) == "content":
            made = with_think_tags(made)
        async with studio.use(chosen, ttl_s=body.get("ttl")) as run:
            try:
                made = studio.fitted(run, question, made)
            except ApiError as refused:
                if body.get("stream") and studio.version.since(0, 4, 21):
                    return await studio.stream(request).fail(refused.message)
                raise
            reply = _Reply(studio, run, question, made, self._reasoning_field(chosen.model))
            if body.get("stream"):
                return await self._stream(request, reply, body)
            async with studio.generating(run, question, made) as pieces:
                async for _ in pieces:
                    pass
            return studio.json(reply.whole(detailed=request.path.startswith(V0)))

    def _thinks(self, model: LanguageModel, body: Body) -> bool:
        """An effort of none was ignored for a long time."""
        return model.thinks and not (body.get("reasoning_effort") == "none" and self._studio.version.since(0, 4))

    def _reasoning_field(self, model: LanguageModel) -> str:
        place = self._studio.settings.reasoning
        if place != "auto":
            return place
        if not self._studio.version.since(0, 3, 9):
            return "content"
        return "reasoning" if model.family == "gptoss" else "reasoning_content"

    async def _stream(self, request: web.Request, reply: _Reply, body: Body) -> web.StreamResponse:
        studio = self._studio
        stream = studio.stream(request)
        async with studio.generating(reply.run, reply.question, reply.made) as pieces:
            async for piece in pieces:
                for delta in reply.deltas(piece):
                    await stream.send(reply.chunk(delta))
        last = [reply.chunk({}, reply.made.finish)]
        if (body.get("stream_options") or {}).get("include_usage") and studio.version.since(0, 3, 18):
            last.append(reply.usage_chunk())
        return await stream.finish(*last, b"data: [DONE]\n\n")


@dataclass
class _Reply:
    """One chat completion in the shapes in which it is told."""

    studio: LMStudioBase
    run: Run
    question: Question
    made: Answer
    reasoning: str
    id: str = ""
    created: int = 0
    announced: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.id = self.studio.identifier("chatcmpl-", 22)
        self.created = int(time.time())

    def whole(self, *, detailed: bool) -> Mapping[str, Any]:
        """The answer in one piece; `detailed` as `/api/v0` has it."""
        made = self.made
        message: dict[str, Any] = {"role": "assistant", "content": made.text}
        if self.reasoning != "content":
            message[self.reasoning] = made.thinking
        message["tool_calls"] = [
            {
                "id": _digits(call),
                "type": "function",
                "function": {"name": call.name, "arguments": self._arguments(place)},
            }
            for place, call in enumerate(made.calls)
        ]
        choice = {"index": 0, "logprobs": None, "finish_reason": made.finish, "message": message}
        return {
            "id": self.id,
            "object": "chat.completion",
            "created": self.created,
            "model": self.run.instance.id,
            "choices": [choice],
            "usage": self.usage(),
            "stats": self._stats() if detailed else {},
            **(self._model_info() if detailed else {}),
            "system_fingerprint": self.run.instance.id,
        }

    def deltas(self, piece: Piece) -> Sequence[Mapping[str, Any]]:
        """What a piece adds; the first of a tool call announces it before."""
        if piece.kind != "call":
            name = "content" if piece.kind == "text" else self.reasoning
            return [{"role": "assistant", name: piece.text}]
        deltas: list[Mapping[str, Any]] = []
        if piece.call not in self.announced:
            self.announced.add(piece.call)
            call = self.made.calls[piece.call]
            function = {"name": call.name, "arguments": ""}
            begin = {"index": piece.call, "id": _digits(call), "type": "function", "function": function}
            deltas.append({"role": "assistant", "tool_calls": [begin]})
        fragment = {"arguments": piece.text}
        if not self.studio.version.since(0, 3, 16):
            fragment = {"name": "", **fragment}
        return [*deltas, {"tool_calls": [{"index": piece.call, "function": fragment}]}]

    def chunk(self, delta: Mapping[str, Any], finish: str | None = None) -> bytes:
        """One event of the stream."""
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return self._frame({"choices": [choice]})

    def usage_chunk(self) -> bytes:
        """The event with the counts, which has no choice."""
        return self._frame({"choices": [], "usage": self.usage()})

    def usage(self) -> Mapping[str, Any]:
        """The counts of tokens, one too low where the limit ended the answer."""
        made, prompt = self.made, self.made.prompt_tokens
        completion = made.tokens - (made.finish == "length")
        reasoning = min(completion, sum(piece.kind == "thinking" for piece in made.pieces))
        return {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
            "completion_tokens_details": {"reasoning_tokens": reasoning},
        }

    def _frame(self, fields: Mapping[str, Any]) -> bytes:
        name = self.run.instance.id
        head = {"id": self.id, "object": "chat.completion.chunk", "created": self.created, "model": name}
        return b"data: " + self.studio.dump({**head, "system_fingerprint": name, **fields}) + b"\n\n"

    def _arguments(self, place: int) -> str:
        return "".join(piece.text for piece in self.made.pieces if piece.kind == "call" and piece.call == place)

    def _stats(self) -> Mapping[str, Any]:
        run, clock = self.run, self.studio.engine.clock
        generation_s = clock.shown(run.decode_s)
        return {
            "tokens_per_second": self.usage()["completion_tokens"] / generation_s if generation_s else 0.0,
            # Whether loading and queueing count is not known; here queueing does.
            "time_to_first_token": round(clock.shown(run.wait_s + run.prefill_s), 3),
            "generation_time": round(generation_s, 3),
            "stop_reason": self._stop_reason(),
        }

    def _stop_reason(self) -> str:
        if self.made.finish != "stop":
            return "toolCalls" if self.made.finish == "tool_calls" else "maxPredictedTokensReached"
        if self.question.stop:
            endless = replace(self.question, stop=())
            if self.studio.said(self.run.instance.model, endless).text != self.made.text:
                return "stopStringFound"
        return "eosFound"

    def _model_info(self) -> Mapping[str, Any]:
        instance = self.run.instance
        model = instance.model
        info = {"arch": model.family, "quant": model.quantization, "format": "gguf", "context_length": instance.context}
        return {"model_info": info, "runtime": {**_RUNTIME, "supported_formats": ["gguf"]}}


def with_think_tags(made: Answer) -> Answer:
    """The answer with its reasoning as a part of the text."""
    thinking = [replace(piece, kind="text") for piece in made.pieces if piece.kind == "thinking"]
    if not thinking:
        return made
    rest = [piece for piece in made.pieces if piece.kind != "thinking"]
    thinking[0] = replace(thinking[0], text=f"<think>\n{thinking[0].text}")
    if rest or made.finish != "length":
        thinking[-1] = replace(thinking[-1], text=f"{thinking[-1].text}</think>\n\n")
    return replace(made, pieces=(*thinking, *rest))


def _digits(call: ToolCall) -> str:
    """The name of a call, which is a number here."""
    return str(int(call.id.removeprefix("call_"), 16) % 10**9)
