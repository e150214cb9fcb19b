"""The server behind every dialect of OpenAI's API: its routes, its key, and how an answer is generated and sent."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final

from aiohttp import web

from turnout.emulators.admin import ADMIN
from turnout.emulators.api_error import ApiError
from turnout.emulators.call import CALL
from turnout.emulators.engine_run import Run
from turnout.emulators.faults import FaultName
from turnout.emulators.instance import EngineError, LoadFailedError, QueueFullError
from turnout.emulators.json_text import has_lone_surrogate
from turnout.emulators.language_model import LanguageModel
from turnout.emulators.openai_completions import TextDocuments, read_completion
from turnout.emulators.openai_dialect import OpenAIDialect, Reply
from turnout.emulators.openai_embeddings import embeddings_document, read_inputs
from turnout.emulators.openai_sending import ChunkSender
from turnout.emulators.policy import Policy
from turnout.emulators.questions import Question
from turnout.emulators.server import Emulator, EmulatorOptions, Handler

_REPLY: Final = web.RequestKey("turnout_reply", Reply)
_DONE: Final = b"data: [DONE]\n\n"


@dataclass(frozen=True)
class OpenAIOptions(EmulatorOptions):
    """What this emulator can be told besides.

    server: openai, llamacpp or vllm.
    api_key: the key that callers need; None lets everybody in.
    outlives_client: whether a generation that is not streamed goes on when its client has left; None is as the server
        does it (llama.cpp goes on).
    """

    server: str = "openai"
    api_key: str | None = None
    outlives_client: bool | None = None


class OpenAIEmulator(Emulator):
    """Chat, completions, embeddings and models under `/v1`. One choice and one prompt a request."""

    kind: ClassVar[str] = "openai"

    def __init__(self, options: OpenAIOptions, dialect: OpenAIDialect) -> None:
        self.dialect = dialect
        super().__init__(
            replace(options, models=options.models or self.dialect.models), Policy(slots=self.dialect.slots)
        )
        self.models = {name: self.dialect.adapt(model) for name, model in self.models.items()}
        self._key = options.api_key
        wanted = options.outlives_client
        self._outlives_client = self.dialect.outlives_client if wanted is None else wanted
        self._background: set[asyncio.Task[Run]] = set()
        self._replies = 0

    def routes(self) -> Iterable[web.RouteDef]:
        yield web.post("/v1/chat/completions", self._chat)
        yield web.post("/v1/completions", self._complete)
        yield web.post("/v1/embeddings", self._embed)
        yield web.get("/v1/models", self._list)
        if self.dialect.name == "openai":
            yield web.get("/v1/models/{name:.+}", self._describe)
        for path in self.dialect.open_paths:
            yield web.get(path, self._health)

    def application(self) -> web.Application:
        application = super().application()
        application.middlewares.append(self._guard())
        application.on_response_prepare.append(self._add_headers)
        application.on_shutdown.append(self._stop_background)
        return application

    # Errors and headers.

    def error(self, request: web.Request, error: ApiError) -> web.Response:  # noqa: ARG002
        wait = error.headers.get("Retry-After")
        if self.dialect.name == "openai" and wait is not None:
            error.headers["retry-after-ms"] = str(int(float(wait) * 1000))
        error.message = error.message.replace("{wait}", wait or "1")
        response = self.json(self.dialect.error(error), error.status, error.headers)
        if self.dialect.closes_after_errors:
            response.force_close()
        return response

    def error_frame(self, request: web.Request, message: str) -> bytes:  # noqa: ARG002
        told = self._frame(self.dialect.stream_error(message))
        return told + _DONE if self.dialect.done_after_errors else told

    def swallowed_frame(self, request: web.Request) -> bytes:
        reply = request.get(_REPLY)
        return (b"" if reply is None else self._frame(self.dialect.chunk(reply, {}))) + _DONE

    def engine_error(self, request: web.Request, error: EngineError) -> ApiError:
        model = request[CALL].model
        if isinstance(error, QueueFullError):
            return self.dialect.fault(FaultName.BUSY_503, model)
        kind = FaultName.LOAD_FAILED if isinstance(error, LoadFailedError) else FaultName.ERROR_500
        told = self.dialect.fault(kind, model)
        told.message = f"{told.message}: {error}"
        return told

    def fault_error(self, fault: FaultName, model: str | None) -> ApiError:
        return self.dialect.fault(fault, model)

    def unmatched(self, request: web.Request, status: int) -> web.Response:
        return self.error(request, self.dialect.unmatched(request.method, request.path, status))

    def _guard(self) -> Any:
        @web.middleware
        async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
            given = request.headers.get("Authorization", "").removeprefix("Bearer ")
            if self.dialect.name == "llamacpp":
                given = given or request.headers.get("X-Api-Key", "")
            free = request.path.startswith(ADMIN) or request.path in self.dialect.open_paths
            if self._key is not None and given != self._key and not free:
                raise self.dialect.refused_key(given)
            return await handler(request)

        return guard

    async def _add_headers(self, _request: web.Request, response: web.StreamResponse) -> None:
        response.headers.update(self.dialect.headers)
        if self.dialect.name == "openai":
            response.headers["x-request-id"] = f"req_{self._replies:032x}"

    async def _stop_background(self, _application: web.Application) -> None:
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)

    # Handlers.

    async def _health(self, request: web.Request) -> web.Response:
        if self.dialect.name == "llamacpp":
            return self.json({"status": "ok"})
        return self.json({"version": self.options.version or "0.19.0"}) if "version" in request.path else web.Response()

    async def _list(self, _request: web.Request) -> web.Response:
        return self.json(self.dialect.listing(list(self.models.values()), self.options.context))

    async def _describe(self, request: web.Request) -> web.Response:
        model = self.dialect.choose(self.models, request.match_info["name"], embedding=False)
        return self.json(self.dialect.listed(model, self._context(model)))

    async def _embed(self, request: web.Request) -> web.Response:
        body = self._body(request)
        model = self.dialect.choose(self.models, body.get("model"), embedding=True)
        inputs = read_inputs(self.dialect, body, self._context(model))
        async with self.engine.use(model, context=self._context(model)) as run:
            async for _ in run.generate(sum(inputs.tokens), ()):
                pass
        return self.json(embeddings_document(self.dialect, body, model, inputs))

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        body = self._body(request)
        model = self.dialect.choose(self.models, body.get("model"), embedding=False)
        self.dialect.check_chat(body, model)
        question = self.dialect.fit(self.dialect.question(body, model), self._context(model))
        reply = self._reply(request, body, model, question, "chatcmpl")
        if body.get("stream"):
            return await self._stream(request, reply, model, self.dialect)
        await self._generate(reply, model)
        return self.json(self.dialect.whole(reply))

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        body = self._body(request)
        model = self.dialect.choose(self.models, body.get("model"), embedding=False)
        self.dialect.check_completion(body, model)
        question = self.dialect.fit(read_completion(self.dialect, body), self._context(model))
        reply = self._reply(request, body, model, question, "cmpl")
        documents = TextDocuments(self.dialect)
        if body.get("stream"):
            return await self._stream(request, reply, model, documents)
        await self._generate(reply, model)
        return self.json(documents.whole(reply))

    def _body(self, request: web.Request) -> Mapping[str, Any]:
        call = request[CALL]
        if not isinstance(call.body, Mapping):
            raise self.dialect.bad_body(call.bad_json)
        if self.dialect.name == "llamacpp" and has_lone_surrogate(call.body):
            raise self.dialect.bad_body("invalid string: surrogate U+D800..U+DBFF must be followed by U+DC00..U+DFFF")
        return call.body

    def _context(self, model: LanguageModel) -> int:
        return self.options.context or model.max_context

    def _reply(
        self, request: web.Request, body: Mapping[str, Any], model: LanguageModel, question: Question, prefix: str
    ) -> Reply:
        self._replies += 1
        answer = self.answer(request, model, question)
        name = f"{prefix}-{self._replies:024x}"
        request[_REPLY] = reply = Reply(
            name, int(time.time()), self.dialect.echo(model), body, answer, question.prompt_tokens
        )
        return reply

    # Generation.

    async def _generate(self, reply: Reply, model: LanguageModel) -> None:
        """Generate the whole answer; its client's going ends that only where the server notices."""
        if not self._outlives_client:
            self._measure(reply, await self._run(reply, model))
            return
        task = asyncio.create_task(self._run(reply, model))
        self._background.add(task)
        task.add_done_callback(self._forget)
        self._measure(reply, await asyncio.shield(task))

    async def _run(self, reply: Reply, model: LanguageModel) -> Run:
        async with self.engine.use(model, context=self._context(model)) as run:
            async for _ in run.generate(reply.prompt_tokens, reply.answer.pieces):
                pass
        return run

    def _forget(self, task: asyncio.Task[Run]) -> None:
        self._background.discard(task)
        if not task.cancelled():
            task.exception()  # retrieved, so that nobody warns of a failure whose client has left

    def _measure(self, reply: Reply, run: Run) -> None:
        reply.prefill_s, reply.decode_s = map(self.engine.clock.shown, (run.prefill_s, run.decode_s))

    async def _stream(
        self, request: web.Request, reply: Reply, model: LanguageModel, documents: OpenAIDialect | TextDocuments
    ) -> web.StreamResponse:
        stream = self.stream(request, self.dialect.stream_type)
        async with self.engine.use(model, context=self._context(model)) as run:
            if self.dialect.early_headers:
                await stream.start()
            sender = ChunkSender(stream, documents, reply, self.dialect.reasoning_field, self._frame)
            async for piece in run.generate(reply.prompt_tokens, reply.answer.pieces):
                await sender.send(piece)
            self._measure(reply, run)
            await sender.open()
            for document in documents.ending(reply):
                await stream.send(self._frame(document))
            return await stream.finish(_DONE)

    def _frame(self, document: Any) -> bytes:
        return b"data: " + self.dump(document) + b"\n\n"
