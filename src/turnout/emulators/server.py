"""What all emulators share: models, engine and faults behind an HTTP server, and routes to steer them in tests."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Final, TypeAlias

from aiohttp import web

from turnout.emulators.admin import ADMIN, admin_routes
from turnout.emulators.answers import Answer, Piece, Script, answer
from turnout.emulators.api_error import ApiError, openai_fault_error
from turnout.emulators.call import CALL, Call, read_call
from turnout.emulators.engine import Engine
from turnout.emulators.engine_run import Run
from turnout.emulators.faults import Fault, FaultName, FaultPlan
from turnout.emulators.instance import EngineError
from turnout.emulators.language_model import LanguageModel, default_models, model_from_name
from turnout.emulators.listening import Listener
from turnout.emulators.policy import Policy
from turnout.emulators.questions import Question
from turnout.emulators.streams import Stream, StreamEndedError, reset_connection, send_whole

Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]

_MAX_BODY_BYTES: Final = 256 * 2**20
_HTML: Final = (
    "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body><h1>502 Bad Gateway</h1></body>\r\n</html>\r\n"
)


@dataclass(frozen=True)
class EmulatorOptions:
    """What every emulator can be told.

    models: names; none means the default models of the kind.
    speed: 1 is real time, 50 is fifty times as fast, 0 waits for nothing.
    seed: decides which prompts each model answers rightly, and which requests a fault with a rate strikes.
    version: of the emulated provider, where its behaviour depends on it.
    context: tokens of the context window that models are loaded with, instead of the provider's own choice.
    slots: requests that a loaded model serves at once, likewise.
    policy: fields of the engine's `Policy` to be set otherwise than the provider does.
    scripts: by prompt, how hard it is and how long an answer to it; else the prompt's own words decide.
    """

    models: Sequence[str] = ()
    speed: float = 0.0
    seed: int = 0
    faults: Iterable[Fault] = ()
    version: str | None = None
    context: int | None = None
    slots: int | None = None
    policy: Mapping[str, Any] = field(default_factory=dict)
    scripts: Mapping[str, Script] = field(default_factory=dict)


class Emulator:
    """A provider made of models, an engine and faults. Subclasses add routes and word the errors.

    Handlers find the parsed body in `request[CALL]`, raise `ApiError` for errors before the first byte, and let
    `EngineError` pass.
    """

    kind: ClassVar[str]
    headers: ClassVar[Mapping[str, str]] = {}
    """Sent with every response."""

    def __init__(self, options: EmulatorOptions, policy: Policy) -> None:
        own = dict(options.policy) if options.slots is None else {"slots": options.slots, **options.policy}
        self.options = options
        self.seed = options.seed
        models = [model_from_name(name) for name in options.models] or default_models(self.kind)
        self.models: dict[str, LanguageModel] = {model.name: model for model in models}
        self.engine = Engine(replace(policy, **own), options.speed)
        self.faults = FaultPlan(options.faults, options.seed)
        self.requests: Counter[str] = Counter()
        self.listener: Listener | None = None

    # What a dialect says in its own way.

    def routes(self) -> Iterable[web.RouteDef]:
        """The provider's routes."""
        raise NotImplementedError

    def find(self, name: str) -> LanguageModel | None:
        """The model that a request means."""
        return self.models.get(name)

    def error(self, request: web.Request, error: ApiError) -> web.Response:  # noqa: ARG002
        """An error response; OpenAI's shape unless the dialect has another."""
        body = {"message": error.message, "type": error.type, "param": error.param, "code": error.code}
        return self.json({"error": body}, error.status, error.headers)

    def error_frame(self, request: web.Request, message: str) -> bytes:  # noqa: ARG002
        """What a stream says when it fails after it has begun."""
        return b"data: " + self.dump({"error": {"message": message}}) + b"\n\n"

    def swallowed_frame(self, request: web.Request) -> bytes:  # noqa: ARG002
        """What a stream sends last when it does not tell about its failure."""
        return b""

    def engine_error(self, request: web.Request, error: EngineError) -> ApiError:  # noqa: ARG002
        """How the provider puts a trouble of the engine before the first byte."""
        return ApiError(500, str(error), type="internal_error")

    def fault_error(self, fault: FaultName, model: str | None) -> ApiError:
        """The provider's words for a fault that is an error response."""
        return openai_fault_error(fault, model)

    def unmatched(self, request: web.Request, status: int) -> web.Response:
        """The response to an unknown path or a wrong method."""
        return self.error(request, ApiError(status, f"Unknown request URL: {request.method} {request.path}"))

    def dump(self, value: Any) -> bytes:
        """JSON as the provider writes it."""
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")

    # What handlers use.

    def json(self, value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
        """A JSON response."""
        return web.Response(
            body=self.dump(value), status=status, headers={"Content-Type": "application/json", **(headers or {})}
        )

    def answer(self, request: web.Request, model: LanguageModel, question: Question) -> Answer:
        """What the model says to this request."""
        made = self.said(model, question)
        return made.emptied() if request[CALL].suffers(FaultName.EMPTY_ANSWER) else made

    def said(self, model: LanguageModel, question: Question) -> Answer:
        """What the model says where nothing goes wrong."""
        return answer(self.seed, model, question, self.options.scripts.get(question.prompt))

    def generate(self, run: Run, question: Question, made: Answer) -> AsyncGenerator[Piece, None]:
        """The pieces of an answer, as the model makes them."""
        return run.generate(question.prompt_tokens, made.pieces)

    def stream(
        self, request: web.Request, content_type: str = "text/event-stream", headers: Mapping[str, str] | None = None
    ) -> Stream:
        """A response to be sent in frames; an `EngineError` that comes after its first byte ends it with `error_frame`."""
        call = request[CALL]
        call.stream = Stream(
            request,
            call.faults,
            content_type,
            headers or {},
            lambda message: self.error_frame(request, message),
            lambda: self.swallowed_frame(request),
        )
        return call.stream

    def switch_on(self, fault: Fault, sparing: web.Request | None = None) -> None:
        """Add a fault. One that refuses every connection does not wait for a request: it strikes at once."""
        everywhere = fault.rate == 1 and not fault.path and fault.model is None
        if fault.name is not FaultName.REFUSED or not everywhere or self.listener is None or fault.count == 0:
            self.faults.add(fault)
            return
        self.faults.struck[fault.name] = self.faults.struck.get(fault.name, 0) + 1
        if fault.count is not None and fault.count > 1:
            self.faults.add(replace(fault, count=fault.count - 1))
        self.listener.refuse(fault.seconds, sparing)

    # How a request passes through.

    def application(self) -> web.Application:
        """The application to be served; a new one for each server."""
        application = web.Application(middlewares=[self._middleware()], client_max_size=_MAX_BODY_BYTES)
        application.add_routes([*self.routes(), *admin_routes(self)])
        application.on_response_prepare.append(self._set_headers)
        return application

    async def _set_headers(self, _request: web.Request, response: web.StreamResponse) -> None:
        response.headers.popall("Server", None)
        response.headers.update(self.headers)

    def _middleware(self) -> Any:
        @web.middleware
        async def handle(request: web.Request, handler: Handler) -> web.StreamResponse:
            if request.path.startswith(ADMIN):
                return await handler(request)
            self.requests[request.path] += 1
            call = request[CALL] = await read_call(request)
            call.faults = self.faults.strike(request.path, call.model)
            try:
                response = await self._strike_early(request, call) or await self._respond(request, handler, call)
                if not isinstance(response, web.Response) or response.prepared:
                    return response
                return await send_whole(request, response, call.faults)
            except StreamEndedError as ended:
                return ended.response

        return handle

    async def _strike_early(self, request: web.Request, call: Call) -> web.StreamResponse | None:
        """Faults that need no answer to spoil."""
        for fault in call.faults:
            match fault.name:
                case FaultName.REFUSED | FaultName.RESET_BEFORE_HEADERS:
                    reset_connection(request)
                    if fault.name is FaultName.REFUSED and self.listener is not None:
                        self.listener.refuse(fault.seconds)
                    raise StreamEndedError(web.Response())
                case FaultName.HANG:
                    await asyncio.Event().wait()
                case FaultName.SLOW_FIRST_BYTE:
                    await asyncio.sleep(fault.seconds)
                case FaultName.BAD_GATEWAY_HTML:
                    return web.Response(text=_HTML, status=502, content_type="text/html")
                case (
                    FaultName.ERROR_500
                    | FaultName.BUSY_429
                    | FaultName.BUSY_503
                    | FaultName.UNAUTHORIZED
                    | FaultName.NOT_FOUND
                    | FaultName.LOAD_FAILED
                    | FaultName.ERROR_WITH_200
                ):
                    error = self.fault_error(fault.name, call.model)
                    if fault.name is FaultName.ERROR_WITH_200:
                        error.status = 200
                    if fault.name is FaultName.BUSY_429:
                        error.headers["Retry-After"] = f"{fault.seconds:g}"
                    return self.error(request, error)
        return None

    async def _respond(self, request: web.Request, handler: Handler, call: Call) -> web.StreamResponse:
        try:
            response = await handler(request)
        except ApiError as error:
            return self.error(request, error)
        except EngineError as error:
            if call.stream is not None and call.stream.started:
                return await call.stream.fail(str(error))
            return self.error(request, self.engine_error(request, error))
        except web.HTTPException as refused:
            return self.unmatched(request, refused.status)
        except ConnectionResetError:  # the client has gone and nobody reads the rest
            return web.Response() if call.stream is None else call.stream.response
        if not response.prepared and call.suffers(FaultName.ERROR_EVENT_MID_STREAM, FaultName.SWALLOWED_ERROR):
            return self.error(request, self.fault_error(FaultName.ERROR_500, call.model))
        return response


@asynccontextmanager
async def serving(emulator: Emulator, port: int = 0, host: str = "127.0.0.1") -> AsyncIterator[str]:
    """Serve while the block runs, on a free port unless one is given; the value is the base URL.

    Raises:
        OSError: the address cannot be used.
    """
    listener = Listener(emulator.application(), host, port)
    try:
        base_url = await listener.start()
        emulator.listener = listener
        yield base_url
    finally:
        emulator.listener = None
        await listener.stop()


async def run_forever(
    emulator: Emulator, host: str, port: int, ready: Callable[[str], None] = lambda _base_url: None
) -> None:
    """Serve until cancelled; `ready` is told the base URL.

    Raises:
        OSError: the address cannot be used.
    """
    async with serving(emulator, port, host) as base_url:
        ready(base_url)
        await asyncio.Event().wait()
