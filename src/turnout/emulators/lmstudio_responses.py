"""LM Studio's `/v1/responses`, the only one of its endpoints that gives log-probabilities.

A JSON schema has no effect here, as in the original. Tools are not emulated.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web

from turnout.emulators.answers import Answer, Piece
from turnout.emulators.api_error import ApiError
from turnout.emulators.call import CALL
from turnout.emulators.engine_run import Run
from turnout.emulators.lmstudio_base import LMStudioBase
from turnout.emulators.lmstudio_request import Body, check_fields, check_images, check_messages, read_body
from turnout.emulators.questions import Question, count_prompt_tokens, last_user_text
from turnout.emulators.streams import Stream

_LOGPROBS: Final = "message.output_text.logprobs"


class ResponsesRoutes:
    """Responses over one LM Studio."""

    def __init__(self, studio: LMStudioBase) -> None:
        self._studio = studio

    def routes(self) -> Sequence[web.RouteDef]:
        """The route, if the version has it."""
        return [web.post("/v1/responses", self._respond)] if self._studio.version.since(0, 3, 29) else []

    async def _respond(self, request: web.Request) -> web.StreamResponse:
        studio = self._studio
        body = read_body(request[CALL])
        check_fields(body)
        messages = _messages(body, studio.recall(body.get("previous_response_id")))
        chosen = studio.choose(body.get("model"))
        check_images(messages, vision="vision" in chosen.model.capabilities)
        effort = body["reasoning"].get("effort") if isinstance(body.get("reasoning"), Mapping) else None
        limit = body.get("max_output_tokens")
        question = Question(
            prompt=last_user_text(messages),
            prompt_tokens=count_prompt_tokens(messages),
            think=chosen.model.thinks and effort != "none",
            max_tokens=limit if limit and limit > 0 else None,
            messages=messages,
        )
        made = studio.answer(request, chosen.model, question)
        async with studio.use(chosen, ttl_s=body.get("ttl")) as run:
            try:
                made = studio.fitted(run, question, made)
            except ApiError as refused:
                if body.get("stream") and studio.version.since(0, 4, 21):
                    return await studio.stream(request).fail(refused.message)
                raise
            response = _Response(studio, run, question, made, self._logprobs(body), body)
            events = _Events(studio, studio.stream(request)) if body.get("stream") else None
            if events is not None:
                await events.begin(response)
            async with studio.generating(run, question, made) as pieces:
                async for piece in pieces:
                    if events is not None:
                        await events.tell(piece, response)
            if body.get("store", True):
                turns = [turn for turn in messages if turn["role"] not in ("system", "developer")]
                studio.remember(response.id, (*turns, {"role": "assistant", "content": made.text}))
            return studio.json(response.whole()) if events is None else await events.end(response)

    def _logprobs(self, body: Body) -> int | None:
        """How many alternatives to give with each token; None for no log-probabilities."""
        included = _LOGPROBS in (body.get("include") or ())
        if not included or not self._studio.settings.logprobs or not self._studio.version.since(0, 3, 39):
            return None
        return max(0, int(body.get("top_logprobs") or 0))


def _messages(body: Body, before: Sequence[Mapping[str, Any]]) -> tuple[Mapping[str, Any], ...]:
    given = body.get("input")
    if given is None:
        message = "Missing required parameter: 'input'."
        raise ApiError(400, message, type="invalid_request_error", param="input", code="missing_required_parameter")
    turns = [{"role": "user", "content": given}] if isinstance(given, str) else given
    check_messages(turns, "input")
    instructions = body.get("instructions")
    system = [{"role": "system", "content": instructions}] if isinstance(instructions, str) else []
    return (*system, *before, *turns)


@dataclass
class _Response:
    """One response in the shapes in which it is told."""

    studio: LMStudioBase
    run: Run
    question: Question
    made: Answer
    logprobs: int | None
    body: Body
    id: str = ""
    created: int = 0

    def __post_init__(self) -> None:
        self.id = self.studio.identifier("resp_", 48)
        self.created = int(time.time())

    def whole(self) -> Mapping[str, Any]:
        """The response at its end."""
        cut = self.made.finish == "length"
        thinking = sum(piece.kind == "thinking" for piece in self.made.pieces)
        made, read = self.made.tokens, self.made.prompt_tokens
        return self.begun() | {
            "status": "incomplete" if cut else "completed",
            "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
            "output": self.items(),
            "usage": {
                "input_tokens": read,
                "input_tokens_details": {"cached_tokens": 0},
                "output_tokens": made,
                "output_tokens_details": {"reasoning_tokens": thinking},
                "total_tokens": read + made,
            },
        }

    def begun(self) -> dict[str, Any]:
        """The response before anything is generated."""
        return {
            "id": self.id,
            "object": "response",
            "created_at": self.created,
            "status": "in_progress",
            "error": None,
            "incomplete_details": None,
            "model": self.run.instance.id,
            "output": [],
            "previous_response_id": self.body.get("previous_response_id"),
            "usage": None,
        }

    def items(self) -> list[dict[str, Any]]:
        """What the model said: its reasoning, then its message."""
        items = []
        if self.made.thinking:
            content = [{"type": "reasoning_text", "text": self.made.thinking}]
            items.append({"id": self.item_id("thinking"), "type": "reasoning", "summary": [], "content": content})
            if not self.made.text:
                return items  # it was stopped before it said anything
        logprobs = [self._logprob(piece) for piece in self.made.pieces if piece.kind == "text"]
        part = {"type": "output_text", "text": self.made.text, "annotations": [], "logprobs": logprobs}
        if self.logprobs is None:
            part["logprobs"] = []
        status = "incomplete" if self.made.finish == "length" else "completed"
        return [*items, {**self.message(), "status": status, "content": [part]}]

    def message(self) -> dict[str, Any]:
        """The message before it has text."""
        name = self.item_id("text")
        return {"id": name, "type": "message", "role": "assistant", "status": "in_progress", "content": []}

    def item_id(self, kind: str) -> str:
        """The name of a part of the output."""
        return f"{'rs' if kind == 'thinking' else 'msg'}_{self.id.removeprefix('resp_')}"

    def _logprob(self, piece: Piece) -> Mapping[str, Any]:
        others = piece.likeliest(self.logprobs or 0)
        return {**_token(piece.text, piece.logprob), "top_logprobs": [_token(*other) for other in others]}


def _token(text: str, logprob: float) -> Mapping[str, Any]:
    return {"token": text, "logprob": logprob, "bytes": list(text.encode(errors="replace"))}


class _Events:
    """The events of one response, numbered."""

    def __init__(self, studio: LMStudioBase, stream: Stream) -> None:
        self._studio = studio
        self._stream = stream
        self._number = 0
        self._place = 0
        self._opened = False

    async def begin(self, response: _Response) -> None:
        """Say that it begins."""
        await self._send("response.created", response=response.begun())
        await self._send("response.in_progress", response=response.begun())

    async def tell(self, piece: Piece, response: _Response) -> None:
        """One more piece."""
        where = {"item_id": response.item_id(piece.kind), "content_index": 0, "delta": piece.text}
        if piece.kind == "thinking":
            await self._send("response.reasoning_text.delta", output_index=0, **where)
            self._place = 1
            return
        if not self._opened:
            self._opened = True
            await self._send("response.output_item.added", output_index=self._place, item=response.message())
        await self._send("response.output_text.delta", output_index=self._place, **where, logprobs=[])

    async def end(self, response: _Response) -> web.StreamResponse:
        """Close the message, and send the whole response once more."""
        whole = response.whole()
        if self._opened:
            message = whole["output"][-1]
            where = {"item_id": message["id"], "output_index": self._place, "content_index": 0}
            await self._send("response.output_text.done", **where, text=response.made.text)
            await self._send("response.output_item.done", output_index=self._place, item=message)
        name = f"response.{whole['status']}"
        return await self._stream.finish(self._frame(name, response=whole))

    async def _send(self, name: str, **data: Any) -> None:
        await self._stream.send(self._frame(name, **data), generated=name.endswith(".delta"))

    def _frame(self, name: str, **data: Any) -> bytes:
        self._number += 1
        return self._studio.event(name, {"type": name, "sequence_number": self._number - 1, **data})
