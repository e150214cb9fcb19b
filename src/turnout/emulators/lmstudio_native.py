"""LM Studio's own chat: one user turn, stored conversations, and a stream that tells how load and prefill get on.

Tools reach this endpoint through servers of its own choosing only; those integrations are not emulated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from aiohttp import web

from turnout.emulators.answers import Answer, Piece
from turnout.emulators.api_error import ApiError
from turnout.emulators.call import CALL
from turnout.emulators.engine_run import Run
from turnout.emulators.language_model import LanguageModel
from turnout.emulators.lmstudio_base import UNFINISHED, Chosen, LMStudioBase, Unfinished
from turnout.emulators.lmstudio_models import reasoning_settings
from turnout.emulators.lmstudio_native_request import read_input, read_native, refusal
from turnout.emulators.lmstudio_request import Body, check_images
from turnout.emulators.questions import Question, count_prompt_tokens, message_text
from turnout.emulators.streams import Stream

_FIELDS: Final[Mapping[str, type]] = {
    "model": str,
    "input": object,
    "system_prompt": str,
    "integrations": list,
    "stream": bool,
    "temperature": float,
    "top_p": float,
    "top_k": int,
    "min_p": float,
    "repeat_penalty": float,
    "max_output_tokens": int,
    "reasoning": str,
    "context_length": int,
    "store": bool,
    "previous_response_id": str,
}
_PARTS: Final = {"thinking": "reasoning", "text": "message"}


class NativeRoutes:
    """The native chat over one LM Studio."""

    def __init__(self, studio: LMStudioBase) -> None:
        self._studio = studio

    def routes(self) -> Sequence[web.RouteDef]:
        """The route, if the version has it."""
        return [web.post("/api/v1/chat", self._chat)] if self._studio.version.since(0, 4) else []

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        studio = self._studio
        body = read_native(request[CALL], _FIELDS, required=("model", "input"))
        if body.get("integrations"):
            raise ApiError(501, "Integrations are not emulated", type="not_implemented", param="integrations")
        messages = _messages(body, studio.recall(body.get("previous_response_id")))
        chosen = studio.choose(body["model"])
        check_images(messages, vision="vision" in chosen.model.capabilities)
        limit = body.get("max_output_tokens")
        question = Question(
            prompt=message_text(messages[-1]["content"]),
            prompt_tokens=count_prompt_tokens(messages),
            think=_reasons(chosen.model, body),
            max_tokens=limit if limit and limit > 0 else None,
            messages=messages,
        )
        made = studio.answer(request, chosen.model, question)
        talk = _Talk(studio, chosen, question, made, messages, store=body.get("store", True))
        if body.get("stream"):
            return await self._stream(request, talk, body)
        async with studio.use(chosen, context=body.get("context_length")) as talk.run:
            talk.made = studio.fitted(talk.run, question, made)
            async with studio.generating(talk.run, question, talk.made) as pieces:
                async for piece in pieces:
                    talk.add(piece)
            return studio.json(talk.result())

    async def _stream(self, request: web.Request, talk: _Talk, body: Body) -> web.StreamResponse:
        studio = self._studio
        events = _Events(studio, studio.stream(request), talk)
        request[UNFINISHED] = Unfinished(talk.result)
        context = body.get("context_length")
        async with studio.use(talk.chosen, context=context, observe=events.observe) as talk.run:
            await events.handed_over(talk.run)
            try:
                talk.made = studio.fitted(talk.run, talk.question, talk.made)
            except ApiError as refused:
                return await events.stream.fail(refused.message)
            async with studio.generating(talk.run, talk.question, talk.made) as pieces:
                async for piece in pieces:
                    await events.tell(piece)
                    talk.add(piece)
            return await events.end()


def _messages(body: Body, before: Sequence[Mapping[str, Any]]) -> tuple[Mapping[str, Any], ...]:
    system = [{"role": "system", "content": body["system_prompt"]}] if body.get("system_prompt") else []
    return (*system, *before, {"role": "user", "content": read_input(body["input"])})


def _reasons(model: LanguageModel, body: Body) -> bool:
    """Whether the model reasons before this answer.

    Raises:
        ApiError: the model has no such setting, `off` for one that never reasons included.
    """
    asked, settings = body.get("reasoning"), reasoning_settings(model)
    if asked is not None and settings is None:
        raise refusal(f"Model '{model.name}' does not expose reasoning configuration.", "invalid_value", "reasoning")
    if asked is not None and settings is not None and asked not in settings[0]:
        names = ", ".join(f"'{name}'" for name in settings[0])
        message = f"Reasoning setting '{asked}' is not supported by model '{model.name}'. Supported settings: {names}."
        raise refusal(message, "invalid_value", "reasoning")
    return settings is not None and asked != "off"


@dataclass
class _Talk:
    """One chat and what is generated of it so far."""

    studio: LMStudioBase
    chosen: Chosen
    question: Question
    made: Answer
    messages: tuple[Mapping[str, Any], ...]
    store: bool
    run: Run | None = None
    name: str = ""
    pieces: list[Piece] = field(default_factory=list)

    def add(self, piece: Piece) -> None:
        """One more piece was generated."""
        self.pieces.append(piece)

    def result(self) -> Mapping[str, Any]:
        """The whole answer as far as it goes."""
        run, clock = self.run, self.studio.engine.clock
        spoken = {kind: "".join(piece.text for piece in self.pieces if piece.kind == kind) for kind in _PARTS}
        complete = len(self.pieces) == len(self.made.pieces)
        tokens = self.made.tokens if complete else len(self.pieces)
        decode_s = clock.shown(run.decode_s) if run else 0.0
        stats: dict[str, Any] = {
            "input_tokens": self.made.prompt_tokens,
            "total_output_tokens": tokens,
            "reasoning_output_tokens": sum(piece.kind == "thinking" for piece in self.pieces),
            "tokens_per_second": tokens / decode_s if decode_s else 0.0,
            "time_to_first_token_seconds": round(clock.shown(run.wait_s + run.prefill_s), 3) if run else 0.0,
        }
        if run is not None and run.loaded_here:
            stats["model_load_time_seconds"] = round(clock.shown(run.instance.load_s), 3)
        result = {
            "model_instance_id": run.instance.id if run else self.name,
            "output": [{"type": _PARTS[kind], "content": text} for kind, text in spoken.items() if text],
            "stats": stats,
        }
        if self.store and complete:
            result["response_id"] = self.studio.identifier("resp_", 48)
            turns = [turn for turn in self.messages if turn["role"] != "system"]
            said = {"role": "assistant", "content": spoken["text"]}
            self.studio.remember(str(result["response_id"]), (*turns, said))
        return result


class _Events:
    """The named events of one chat, each with its name as its type."""

    def __init__(self, studio: LMStudioBase, stream: Stream, talk: _Talk) -> None:
        self.stream = stream
        self._studio = studio
        self._talk = talk
        self._part: str | None = None

    async def send(self, name: str, **data: Any) -> None:
        """Send one event."""
        await self.stream.send(self._frame(name, **data), generated=name.endswith(".delta"))

    async def observe(self, phase: str, share: float) -> None:
        """Tell how the load or the reading of the prompt gets on."""
        if phase == "load":
            if share == 0:
                # The name of the copy that is being loaded: the newest of those in the making.
                await self._start(self._studio.engine.snapshot()["loading"][-1])
                await self.send("model_load.start", model_instance_id=self._talk.name)
            await self.send("model_load.progress", model_instance_id=self._talk.name, progress=share)
            return
        if share == 0:
            await self.send("prompt_processing.start")
        await self.send("prompt_processing.progress", progress=share)
        if share == 1:
            await self.send("prompt_processing.end")

    async def handed_over(self, run: Run) -> None:
        """The model is there."""
        if not run.loaded_here:
            await self._start(run.instance.id)
            return
        seconds = round(self._studio.engine.clock.shown(run.instance.load_s), 3)
        await self.send("model_load.end", model_instance_id=run.instance.id, load_time_seconds=seconds)

    async def tell(self, piece: Piece) -> None:
        """One more piece; the first of its kind opens a part, after the one before is closed."""
        part = _PARTS[piece.kind]
        if part != self._part:
            await self._close_part()
            await self.send(f"{part}.start")
            self._part = part
        await self.send(f"{part}.delta", content=piece.text)

    async def end(self) -> web.StreamResponse:
        """Close the last part, and send the whole answer once more."""
        await self._close_part()
        return await self.stream.finish(self._frame("chat.end", result=self._talk.result()))

    async def _start(self, name: str) -> None:
        self._talk.name = name
        await self.send("chat.start", model_instance_id=name)

    async def _close_part(self) -> None:
        if self._part is not None:
            await self.send(f"{self._part}.end")
            self._part = None

    def _frame(self, name: str, **data: Any) -> bytes:
        return self._studio.event(name, {"type": name, **data})
