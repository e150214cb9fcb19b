"""LM Studio and Ollama in front of a real engine: their dialects as emulated, every answer generated while it is sent.

Routes, lists, errors, frames and faults are the emulators'. Text, log-probabilities, token counts and seconds are the
engine's; its pieces are passed on as they come, and a caller who leaves ends the generation. The token that ends an
answer is counted, but has no log-probability here: the engine's stream tells none.
"""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from turnout.emulators.answers import Answer, Piece
from turnout.emulators.api_error import ApiError
from turnout.emulators.call import CALL
from turnout.emulators.engine_run import Run
from turnout.emulators.faults import FaultName
from turnout.emulators.instance import EngineError
from turnout.emulators.language_model import LanguageModel
from turnout.emulators.lmstudio import LMStudio
from turnout.emulators.ollama import Ollama
from turnout.emulators.questions import Question
from turnout.emulators.server import Emulator, EmulatorOptions
from turnout.lab.fronts_engine import RealEngine, TooLongError, engine_body


@dataclass(slots=True)
class RealAnswer(Answer):
    """An answer that fills while the engine generates it; `asked` is what the engine is asked."""

    asked: Mapping[str, Any] = field(default_factory=dict)

    def take(self, event: Mapping[str, Any]) -> tuple[Piece, ...]:
        """What one event of the engine's stream adds: a piece for each token with a log-probability."""
        if usage := event.get("usage"):
            self.tokens, self.prompt_tokens = usage["completion_tokens"], usage["prompt_tokens"]
        added: tuple[Piece, ...] = ()
        for choice in event["choices"]:
            if reason := choice.get("finish_reason"):
                self.finish = "length" if reason == "length" else "stop"
            tokens = (choice.get("logprobs") or {}).get("content") or ()
            added += _pieces(choice["delta"].get("content") or "", tokens)
        self.pieces += added
        return added


class _Front(Emulator):
    """An emulator whose one model is a real one, in whatever dialect."""

    real: RealEngine

    def front(self, real: RealEngine) -> None:
        """Answer with that engine from now on, and tell what it runs: never loaded, and without a pretended speed."""
        self.real = real
        name = next(iter(self.models))
        self.models[name] = LanguageModel(
            name=name,
            family="llama",
            parameters_b=real.model.parameters / 1e9,
            quantization="F16",
            size_bytes=real.model.size_bytes,
            max_context=real.model.context,
            capabilities=frozenset({"json"}),
            quality=0.0,
            decode_tokens_per_s=math.inf,
            prefill_tokens_per_s=math.inf,
            load_s=0.0,
        )

    def answer(self, request: web.Request, model: LanguageModel, question: Question) -> Answer:  # noqa: ARG002
        """An answer that nothing is known of yet."""
        call = request[CALL]
        if call.suffers(FaultName.EMPTY_ANSWER):
            return Answer((), (), "stop", False, 0, question.prompt_tokens)
        return RealAnswer((), (), "stop", False, 0, question.prompt_tokens, engine_body(question, call.body))

    def generate(self, run: Run, question: Question, made: Answer) -> AsyncGenerator[Piece, None]:
        """What the engine generates, which fills the answer."""
        return run.relay(self._asked(made)) if isinstance(made, RealAnswer) else super().generate(run, question, made)

    async def _asked(self, made: RealAnswer) -> AsyncGenerator[Piece, None]:
        async with aclosing(self.real.events(made.asked)) as events:
            async for event in events:
                for piece in made.take(event):
                    yield piece


class LMStudioFront(_Front, LMStudio):
    """A real language model behind LM Studio's dialect, under that name."""

    def __init__(self, name: str, real: RealEngine) -> None:
        LMStudio.__init__(self, EmulatorOptions(models=(name,), slots=1))
        self.front(real)

    def engine_error(self, request: web.Request, error: EngineError) -> ApiError:
        if isinstance(error, TooLongError) and (refusal := self.overflow(error.prompt_tokens, error.window)):
            return ApiError(400, refusal)
        return super().engine_error(request, error)


class OllamaFront(_Front, Ollama):
    """A real language model behind Ollama's dialect, under that name."""

    handover_s = 0.0

    def __init__(self, name: str, real: RealEngine) -> None:
        Ollama.__init__(self, EmulatorOptions(models=(name,), slots=1))
        self.front(real)

    def engine_error(self, request: web.Request, error: EngineError) -> ApiError:
        return ApiError(400, str(error)) if isinstance(error, TooLongError) else super().engine_error(request, error)


def _pieces(text: str, tokens: Sequence[Mapping[str, Any]]) -> tuple[Piece, ...]:
    """A piece for each token; where several make one text, as the bytes of a letter do, the last of them has it."""
    if not tokens:
        return (Piece("text", text, 0.0),) if text else ()
    texts = [*[""] * (len(tokens) - 1), text]
    return tuple(
        Piece("text", each, token["logprob"], others=_others(token)) for each, token in zip(texts, tokens, strict=True)
    )


def _others(token: Mapping[str, Any]) -> tuple[tuple[str, float], ...]:
    return tuple((other["token"], other["logprob"]) for other in token.get("top_logprobs") or ())
