"""What all of LM Studio's routes share: which model answers, how one is loaded, and the words of errors."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final

from aiohttp import web

from turnout.emulators.answers import Answer, Piece
from turnout.emulators.api_error import ApiError
from turnout.emulators.call import CALL
from turnout.emulators.engine_run import Observer, Run
from turnout.emulators.faults import FaultName
from turnout.emulators.instance import EngineError, Instance, LoadFailedError
from turnout.emulators.language_model import LanguageModel
from turnout.emulators.lmstudio_settings import DEFAULT_VERSION, LMStudioSettings, Version, policy_of
from turnout.emulators.questions import Question
from turnout.emulators.server import Emulator, EmulatorOptions


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A native chat that is being generated; `result` makes its whole answer as far as it goes."""

    result: Callable[[], Mapping[str, Any]]


UNFINISHED: Final = web.RequestKey("lmstudio_unfinished", Unfinished)

_NOTHING_LOADED: Final = "No models loaded. Please load a model in the developer page or use the 'lms load' command."
_NATIVE_TYPES: Final = {"invalid_request_error": "invalid_request", "server_error": "internal_error"}
_LOAD_FAILED: Final = "Failed to load model"
_MOST_CONVERSATIONS: Final = 1000


@dataclass(frozen=True, slots=True)
class Chosen:
    """Who answers a request: a model, and its loaded instance unless it has to be loaded first."""

    model: LanguageModel
    instance: Instance | None


class LMStudioBase(Emulator):
    """LM Studio without its routes."""

    kind: ClassVar[str] = "lmstudio"
    headers: ClassVar[Mapping[str, str]] = {"X-Powered-By": "Express"}

    def __init__(self, options: EmulatorOptions, settings: LMStudioSettings) -> None:
        self.version = Version.parse(options.version or DEFAULT_VERSION)
        super().__init__(options, policy_of(self.version))
        self.settings = settings
        self._conversations: dict[str, tuple[Mapping[str, Any], ...]] = {}
        self._numbers = itertools.count()

    def identifier(self, prefix: str, length: int = 24) -> str:
        """The next name for an answer."""
        digest = hashlib.blake2b(f"{self.seed} {next(self._numbers)}".encode(), digest_size=(length + 1) // 2)
        return f"{prefix}{digest.hexdigest()[:length]}"

    def remember(self, identifier: str, messages: tuple[Mapping[str, Any], ...]) -> None:
        """Store a conversation under the answer that it ends with, and forget the oldest of too many."""
        self._conversations[identifier] = messages
        if len(self._conversations) > _MOST_CONVERSATIONS:
            del self._conversations[next(iter(self._conversations))]

    def recall(self, identifier: str | None) -> tuple[Mapping[str, Any], ...]:
        """The conversation that ended with an answer.

        Raises:
            ApiError: there is no such answer.
        """
        if identifier is None:
            return ()
        if identifier not in self._conversations:
            code, param = "previous_response_not_found", "previous_response_id"
            message = f"Previous response with id '{identifier}' not found."
            raise ApiError(404, message, type="invalid_request_error", code=code, param=param)
        return self._conversations[identifier]

    def choose(self, name: Any, *, embedding: bool = False) -> Chosen:
        """Who answers a request for `name`: a loaded instance, a downloaded model, or the only one that is loaded.

        Raises:
            ApiError: nobody does.
        """
        loaded = [instance for instance in self.engine.loaded() if instance.model.is_embedding == embedding]
        by_id = [instance for instance in loaded if instance.id == name]
        for instance in by_id or [instance for instance in loaded if instance.model.name == name]:
            return Chosen(instance.model, instance)
        model = self.find(name) if isinstance(name, str) else None
        if model is not None and model.is_embedding == embedding and self.settings.just_in_time:
            return Chosen(model, None)
        if len(loaded) == 1 and not embedding:
            return Chosen(loaded[0].model, loaded[0])
        if not loaded:
            raise ApiError(
                400 if self.version.since(0, 4) else 404, _NOTHING_LOADED, type="invalid_request_error", param="model"
            )
        raise self.not_found(str(name))

    def not_found(self, name: str) -> ApiError:
        """The error for a name that means nothing."""
        names = "\n".join(self.models)
        message = f'Model "{name}" not found. Please specify a valid model.\n\nYour models:\n\n{names}'
        return ApiError(404, message, type="invalid_request_error", param="model", code="model_not_found")

    @asynccontextmanager
    async def use(
        self,
        chosen: Chosen,
        *,
        ttl_s: float | None = None,
        context: int | None = None,
        observe: Observer | None = None,
    ) -> AsyncIterator[Run]:
        """Have the chosen one ready; `ttl_s` and `context` count only if this loads it.

        That a window of another size leaves a loaded instance as it is, is how the SDK behaves; for the REST API no
        source says it.
        """
        instance = chosen.instance
        async with self.engine.use(
            chosen.model,
            context=None if instance else self.window(chosen.model, context),
            keep_alive_s=ttl_s if ttl_s and ttl_s > 0 and self.version.since(0, 3, 9) else None,
            observe=observe,
            instance_id=instance.id if instance else None,
        ) as run:
            yield run

    def window(self, model: LanguageModel, asked: int | None = None) -> int:
        """The context window that a model is loaded with."""
        return min(asked or self.options.context or self.settings.context_length, model.max_context)

    def overflow(self, prompt_tokens: int, window: int) -> str | None:
        """What is said about a prompt that does not fit; None if it does."""
        if prompt_tokens <= window:
            return None
        advice = "Try to load the model with a larger context length, or provide a shorter input"
        if self.version.since(0, 4, 21):
            return f"Input does not fit in context length. {advice}."
        if self.version.since(0, 4):
            return (
                "The number of tokens to keep from the initial prompt is greater than the context length "
                f"(n_keep: {prompt_tokens}>= n_ctx: {window}). {advice}."
            )
        return (
            f"Trying to keep the first {prompt_tokens} tokens when context the overflows. However, the model is loaded "
            f"with context length of only {window} tokens, which is not enough. {advice}"
        )

    def fitted(self, run: Run, question: Question, made: Answer) -> Answer:
        """The answer if the prompt fits, and nothing from a model that says nothing about it.

        Raises:
            ApiError: the prompt does not fit.
        """
        refusal = self.overflow(question.prompt_tokens, run.instance.context)
        if refusal is None:
            return made
        if run.instance.model.name in self.settings.silent_overflow:
            return replace(made.emptied(), tokens=0)
        raise ApiError(400, refusal)

    def generating(
        self, run: Run, question: Question, made: Answer
    ) -> AbstractAsyncContextManager[AsyncGenerator[Piece, None]]:
        """The pieces of an answer that was fitted, as they are made; a prompt that does not fit is not read."""
        fits = question.prompt_tokens <= run.instance.context
        return aclosing(self.generate(run, question if fits else replace(question, prompt_tokens=0), made))

    def event(self, name: str, data: Mapping[str, Any]) -> bytes:
        """A named event."""
        return f"event: {name}\n".encode() + b"data: " + self.dump(data) + b"\n\n"

    def json(self, value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
        content_type = {"Content-Type": "application/json; charset=utf-8"}
        return super().json(value, status, {**content_type, **(headers or {})})

    def error(self, request: web.Request, error: ApiError) -> web.Response:
        """A string without a type, an object with one; the native API has types of its own."""
        body: Any = error.message
        if request.path.startswith("/api/v1/"):
            kind = _NATIVE_TYPES.get(error.type or "invalid_request", error.type or "invalid_request")
            kind = "model_not_found" if error.code == "model_not_found" else kind
            # Not in the documented list of types, but seen with a refused load.
            kind = "model_load_failed" if error.message.startswith(_LOAD_FAILED) else kind
            body = {"message": error.message, "type": kind, "param": error.param, "code": error.code}
            body = {name: value for name, value in body.items() if value is not None}
        elif error.type is not None:
            body = {"message": error.message, "type": error.type, "param": error.param, "code": error.code}
        return self.json({"error": body}, error.status, error.headers)

    def error_frame(self, request: web.Request, message: str) -> bytes:
        if not request.path.startswith("/api/v1/"):
            return self.event("error", {"error": {"message": message}, "message": message})
        frame = self.event("error", {"type": "error", "error": {"type": "internal_error", "message": message}})
        talk = request.get(UNFINISHED)
        return frame + (self.event("chat.end", {"type": "chat.end", "result": talk.result()}) if talk else b"")

    def swallowed_frame(self, request: web.Request) -> bytes:
        if request.path.startswith("/api/v1/"):
            return self.event("message.delta", {"type": "message.delta", "content": ""})
        choice = {"index": 0, "delta": {"role": "assistant", "content": ""}, "logprobs": None, "finish_reason": None}
        chunk = {"object": "chat.completion.chunk", "model": request[CALL].model, "choices": [choice]}
        return b"" if request.path.endswith("/responses") else b"data: " + self.dump(chunk) + b"\n\n"

    def engine_error(self, request: web.Request, error: EngineError) -> ApiError:
        if isinstance(error, LoadFailedError):
            return self._load_failed(request[CALL].model, f"insufficient system resources: {error}")
        return ApiError(400, str(error), type="internal_error" if request.path.startswith("/api/v1/") else None)

    def _load_failed(self, name: str | None, why: str) -> ApiError:
        message = f'{_LOAD_FAILED} "{name or ""}". Error: Model loading was stopped due to {why}.'
        status = 400 if self.version.since(0, 4) else 404
        return ApiError(status, message, type="invalid_request_error", param="model")

    def fault_error(self, fault: FaultName, model: str | None) -> ApiError:
        match fault:
            case FaultName.NOT_FOUND:
                return self.not_found(model or "")
            case FaultName.LOAD_FAILED:
                return self._load_failed(model, "insufficient system resources")
            case FaultName.ERROR_500:
                return ApiError(500, "The model has crashed (emulated).", type="internal_error", code="unknown")
            case FaultName.UNAUTHORIZED:
                return unauthorized()
            case _:
                return super().fault_error(fault, model)

    def unmatched(self, request: web.Request, status: int) -> web.Response:  # noqa: ARG002
        """Unknown paths and wrong methods are answered with status 200."""
        return self.json({"error": f"Unexpected endpoint or method. ({request.method} {request.path})"})


def unauthorized() -> ApiError:
    """The error for a missing or wrong token; its text is not known, its code is."""
    message = "An LM Studio API token is required. Send it in the header 'Authorization: Bearer <token>'."
    return ApiError(401, message, type="invalid_request_error", code="invalid_api_key")
