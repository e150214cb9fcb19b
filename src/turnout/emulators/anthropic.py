"""Anthropic's Messages API: a key and a version in every request, named events, errors of its own shape."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Final

from aiohttp import web

from turnout.emulators.admin import ADMIN
from turnout.emulators.answers import Answer
from turnout.emulators.anthropic_answer import EventWriter, Message
from turnout.emulators.anthropic_checks import check_body, check_model, refused
from turnout.emulators.anthropic_models import listed, names_of, page, release
from turnout.emulators.anthropic_request import prompt_tokens, read_question
from turnout.emulators.api_error import ApiError
from turnout.emulators.call import CALL
from turnout.emulators.faults import FaultName
from turnout.emulators.instance import EngineError, QueueFullError
from turnout.emulators.json_text import has_lone_surrogate
from turnout.emulators.language_model import LanguageModel
from turnout.emulators.policy import Policy
from turnout.emulators.questions import Question
from turnout.emulators.server import Emulator, EmulatorOptions, Handler

VERSIONS: Final = ("2023-01-01", "2023-06-01")

_LARGEST_BODY: Final = 32 * 2**20
_WRITER: Final = web.RequestKey("turnout_events", EventWriter)
_REQUEST_ID: Final = web.RequestKey("turnout_request_id", str)


@dataclass(frozen=True)
class AnthropicOptions(EmulatorOptions):
    """What this emulator can be told besides.

    api_key: the key that callers need; None takes any, but not none.
    ping_every: pieces of a stream from one `ping` event to the next, after the one at the beginning; 0 for no more.
    """

    api_key: str | None = None
    ping_every: int = 10


def make(options: EmulatorOptions) -> AnthropicEmulator:
    """Anthropic's cloud."""
    if not isinstance(options, AnthropicOptions):
        options = AnthropicOptions(**{field.name: getattr(options, field.name) for field in fields(options)})
    return AnthropicEmulator(options)


class AnthropicEmulator(Emulator):
    """Messages, the counting of their tokens, and models."""

    kind: ClassVar[str] = "anthropic"

    def __init__(self, options: AnthropicOptions) -> None:
        super().__init__(options, Policy(slots=1024))
        self.models = {name: replace(model, load_s=0.0) for name, model in self.models.items()}
        self._key = options.api_key
        self._ping_every = options.ping_every
        self._count = 0

    def routes(self) -> Iterable[web.RouteDef]:
        yield web.post("/v1/messages", self._messages)
        yield web.post("/v1/messages/count_tokens", self._count_tokens)
        yield web.get("/v1/models", self._list)
        yield web.get("/v1/models/{name}", self._describe)

    def application(self) -> web.Application:
        application = super().application()
        application.middlewares.append(self._guard())
        application.on_response_prepare.append(self._add_headers)
        return application

    def find(self, name: str) -> LanguageModel | None:
        return next((found for known in names_of(name) if (found := self.models.get(known))), None)

    # Errors and headers.

    def error(self, request: web.Request, error: ApiError) -> web.Response:
        fields = {"type": error.type or "invalid_request_error", "message": error.message}
        body = {"type": "error", "error": fields, "request_id": self._request_id(request)}
        headers = {"x-should-retry": "true"} if error.status in (429, 529) or error.status >= 500 else {}
        return self.json(body, error.status, {**headers, **error.headers})

    def error_frame(self, request: web.Request, message: str) -> bytes:  # noqa: ARG002
        error = {"details": None, "type": "overloaded_error", "message": "Overloaded"}
        body = {"type": "error", "error": error, "request_id": self._request_id(request)}
        return b"event: error\ndata: " + self.dump(body) + b"\n\n"

    def swallowed_frame(self, request: web.Request) -> bytes:
        writer = request.get(_WRITER)
        return b"" if writer is None else writer.empty() + writer.event("message_stop")

    def engine_error(self, request: web.Request, error: EngineError) -> ApiError:
        busy = isinstance(error, QueueFullError)
        return self.fault_error(FaultName.BUSY_503 if busy else FaultName.ERROR_500, request[CALL].model)

    def fault_error(self, fault: FaultName, model: str | None) -> ApiError:
        match fault:
            case FaultName.BUSY_429:
                message = (
                    "This request would exceed your organization's rate limit of 30,000 input tokens per minute "
                    f"(org: emulated, model: {model}). For details, refer to: "
                    "https://docs.claude.com/en/api/rate-limits. You can see the response headers for current usage. "
                    "Please reduce the prompt length or the maximum tokens requested, or try again later."
                )
                return ApiError(429, message, type="rate_limit_error")
            case FaultName.BUSY_503:
                return ApiError(529, "Overloaded", type="overloaded_error")
            case FaultName.UNAUTHORIZED:
                return ApiError(401, "invalid x-api-key", type="authentication_error")
            case FaultName.NOT_FOUND:
                return _no_model(model)
            case FaultName.LOAD_FAILED:  # a cloud would not tell as much
                return ApiError(500, f"Failed to load model '{model}'", type="api_error")
            case _:
                return ApiError(500, "Internal server error", type="api_error")

    def unmatched(self, request: web.Request, status: int) -> web.Response:
        if status == 405:
            return self.error(request, ApiError(405, "Method Not Allowed", type="invalid_request_error"))
        return self.error(request, ApiError(status, "Not Found", type="not_found_error"))

    def _guard(self) -> Any:
        @web.middleware
        async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
            if not request.path.startswith(ADMIN):
                self._check_headers(request.headers)
                if (request.content_length or 0) > _LARGEST_BODY:
                    raise ApiError(413, "Request exceeds the maximum size", type="request_too_large")
            return await handler(request)

        return guard

    def _check_headers(self, headers: Mapping[str, str]) -> None:
        key, version = headers.get("x-api-key"), headers.get("anthropic-version")
        if not key:
            raise ApiError(401, "x-api-key header is required", type="authentication_error")
        if self._key is not None and key != self._key:
            raise self.fault_error(FaultName.UNAUTHORIZED, None)
        if version is None:
            raise refused("anthropic-version: header is required")
        if version not in VERSIONS:
            raise refused(f'anthropic-version: "{version}" is not a valid version for this API')

    def _request_id(self, request: web.Request) -> str:
        known = request.get(_REQUEST_ID)
        if known is None:
            self._count += 1
            request[_REQUEST_ID] = known = f"req_011{self._count:021d}"
        return known

    async def _add_headers(self, request: web.Request, response: web.StreamResponse) -> None:
        response.headers["request-id"] = self._request_id(request)

    # Handlers.

    async def _messages(self, request: web.Request) -> web.StreamResponse:
        body, model, context = self._checked(request)
        question = read_question(body, model, context)
        made = self.answer(request, model, question)
        reason, sequence = self._ended(model, question, made, question.prompt_tokens + made.tokens >= context)
        self._request_id(request)
        identifier = f"msg_01{self._count:022d}"
        message = Message(identifier, release(model.name), made, question.prompt_tokens, reason, sequence)
        if body.get("stream"):
            return await self._stream(request, model, message, context)
        async with self.engine.use(model, context=context) as run:
            async for _ in run.generate(question.prompt_tokens, made.pieces):
                pass
        return self.json(message.whole())

    async def _stream(
        self, request: web.Request, model: LanguageModel, message: Message, context: int
    ) -> web.StreamResponse:
        request[_WRITER] = writer = EventWriter(message, self.dump, self._ping_every)
        stream = self.stream(request, "text/event-stream; charset=utf-8", {"Cache-Control": "no-cache"})
        async with self.engine.use(model, context=context) as run:
            await stream.send(writer.start())
            async for piece in run.generate(message.prompt_tokens, message.answer.pieces):
                await stream.send(writer.piece(piece))
            await stream.send(writer.end())
            return await stream.finish(writer.event("message_stop"))

    async def _count_tokens(self, request: web.Request) -> web.Response:
        body = self._body(request)
        check_body({"max_tokens": 1, **body})
        self._model(body["model"])
        return self.json({"input_tokens": prompt_tokens(body)})

    async def _list(self, request: web.Request) -> web.Response:
        entries = [listed(model, self._context(model)) for model in self.models.values()]
        return self.json(page(entries, request.query))

    async def _describe(self, request: web.Request) -> web.Response:
        model = self._model(request.match_info["name"])
        return self.json(listed(model, self._context(model)))

    def _body(self, request: web.Request) -> Mapping[str, Any]:
        call = request[CALL]
        if not isinstance(call.body, Mapping):
            raise refused(f"The request body is not valid JSON: {call.bad_json or 'expected an object'}")
        if has_lone_surrogate(call.body):
            raise refused("The request body is not valid JSON: no low surrogate in string: line 1 column 1 (char 0)")
        return call.body

    def _checked(self, request: web.Request) -> tuple[Mapping[str, Any], LanguageModel, int]:
        body = self._body(request)
        check_body(body)
        model = self._model(body["model"])
        context = self._context(model)
        check_model(body, model, prompt_tokens(body), context)
        return body, model, context

    def _model(self, name: str) -> LanguageModel:
        model = self.find(name)
        if model is None:
            raise _no_model(name)
        return model

    def _context(self, model: LanguageModel) -> int:
        return self.options.context or model.max_context

    def _ended(self, model: LanguageModel, question: Question, made: Answer, full: bool) -> tuple[str, str | None]:
        """Why the answer ends, and the stop sequence that ended it."""
        if made.finish == "tool_calls":
            return "tool_use", None
        if made.finish == "length":
            return "model_context_window_exceeded" if full else "max_tokens", None
        uncut = self.said(model, replace(question, stop=(), max_tokens=None)).text
        met = [stop for stop in question.stop if stop and uncut.startswith(made.text + stop)]
        return ("stop_sequence", met[0]) if met else ("end_turn", None)


def _no_model(name: str | None) -> ApiError:
    return ApiError(404, f"model: {name}" if name else "Not Found", type="not_found_error")
