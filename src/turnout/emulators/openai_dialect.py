"""OpenAI's chat completions as OpenAI itself serves them; servers that only speak it depart from this."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final

from turnout.emulators.answers import Answer, Piece
from turnout.emulators.api_error import ApiError
from turnout.emulators.language_model import Capability, LanguageModel
from turnout.emulators.openai_checks import check_chat, invalid, reasons
from turnout.emulators.openai_errors import OpenAIErrors
from turnout.emulators.questions import Question, read_openai_chat
from turnout.emulators.tokens import alternatives

_DATE: Final = re.compile(r"-\d{4}-\d{2}-\d{2}$")
_RELEASED: Final = "2025-04-14"
_FINGERPRINT: Final = "fp_3f9a0c1e27"
_LONGEST_ANSWER: Final = 32_768
_CREATED: Final = 1_744_316_542


@dataclass
class Reply:
    """One answer on its way to the wire. The seconds are known when it has been generated."""

    id: str
    created: int
    model: str
    body: Mapping[str, Any]
    answer: Answer
    prompt_tokens: int
    prefill_s: float = 0.0
    decode_s: float = 0.0

    @property
    def wants_usage(self) -> bool:
        """Whether a stream is to tell the tokens."""
        return bool((self.body.get("stream_options") or {}).get("include_usage"))


class OpenAIDialect(OpenAIErrors):
    """The words, fields and habits of OpenAI's cloud."""

    name: ClassVar[str] = "openai"
    models: ClassVar[Sequence[str]] = ()
    """Names to serve by default; none means those of the catalogue."""
    slots: ClassVar[int] = 1024
    stream_type: ClassVar[str] = "text/event-stream; charset=utf-8"
    headers: ClassVar[Mapping[str, str]] = {"openai-version": "2020-10-01"}
    open_paths: ClassVar[Sequence[str]] = ()
    """Paths that need no key."""
    outlives_client: ClassVar[bool] = False
    """Whether a generation that is not streamed goes on when nobody waits for it any more."""
    early_headers: ClassVar[bool] = True
    """Whether a stream's status leaves before there is a token."""
    closes_after_errors: ClassVar[bool] = False
    reasoning_field: ClassVar[str | None] = None
    """The field that the reasoning is in; None keeps it secret."""
    done_after_errors: ClassVar[bool] = False
    """Whether a stream that failed ends with [DONE] like any other."""

    # Language models.

    def choose(self, models: Mapping[str, LanguageModel], name: object, *, embedding: bool) -> LanguageModel:
        """The model that a request means; a dated release is the model without the date.

        Raises:
            ApiError: there is none, or it does not make vectors (`embedding`).
        """
        if not isinstance(name, str) or not name:
            raise self.model_missing()
        model = models.get(name) or models.get(_DATE.sub("", name))
        if model is None:
            raise self.no_model(name)
        if embedding and not model.is_embedding:
            raise self.not_embedding()
        return model

    def adapt(self, model: LanguageModel) -> LanguageModel:
        """The model as this server has it: nothing is loaded on request."""
        secret: frozenset[Capability] = frozenset({"thinking"}) if reasons(model) else frozenset()
        return replace(model, load_s=0.0, capabilities=model.capabilities | secret)

    def echo(self, model: LanguageModel) -> str:
        """The name that an answer carries: a cloud puts the dated release behind an alias."""
        dated = _DATE.search(model.name) or model.is_embedding or not model.name.startswith("gpt-")
        return model.name if dated else f"{model.name}-{_RELEASED}"

    def listing(self, models: Sequence[LanguageModel], context: int | None) -> dict[str, Any]:
        """The document of `/v1/models`."""
        return {"object": "list", "data": [self.listed(model, context or model.max_context) for model in models]}

    def listed(self, model: LanguageModel, context: int) -> dict[str, Any]:  # noqa: ARG002
        """One model of the list."""
        return {"id": model.name, "object": "model", "created": _CREATED, "owned_by": "system"}

    # Requests.

    def check_chat(self, body: Mapping[str, Any], model: LanguageModel) -> None:
        """Refuse what the server refuses."""
        if model.is_embedding:
            raise self.not_for(model, "chat/completions", "completions")
        check_chat(body, model)

    def check_completion(self, body: Mapping[str, Any], model: LanguageModel) -> None:
        """The same for `/v1/completions`, which only the oldest models have."""
        del body
        if not re.search(r"instruct|davinci|babbage", model.name):
            raise self.not_for(model, "completions", "chat/completions")

    def not_for(self, model: LanguageModel, endpoint: str, other: str) -> ApiError:
        """A model that has another endpoint."""
        is_chat = "not a chat model and thus not" if endpoint.startswith("chat") else "a chat model and not"
        message = f"This is {is_chat} supported in the v1/{endpoint} endpoint. Did you mean to use v1/{other}?"
        del model
        return ApiError(404, message, type="invalid_request_error", param="model")

    def question(self, body: Mapping[str, Any], model: LanguageModel) -> Question:
        """What a chat completion asks."""
        return read_openai_chat(body, think=model.thinks and body.get("reasoning_effort") != "none")

    def fit(self, question: Question, context: int) -> Question:
        """The question within the context window; the answer ends where the window does.

        Raises:
            ApiError: the prompt, or the prompt and the answer that was asked for, are too long.
        """
        prompt, answer = question.prompt_tokens, question.max_tokens
        limit = f"This model's maximum context length is {context} tokens. However, "
        if prompt > context:
            told = f"your messages resulted in {prompt} tokens. Please reduce the length of the messages."
            raise invalid(limit + told, "messages", "context_length_exceeded")
        if answer is not None and answer > _LONGEST_ANSWER:
            raise invalid(
                f"max_tokens is too large: {answer}. This model supports at most {_LONGEST_ANSWER} completion tokens, "
                f"whereas you provided {answer}.",
                "max_tokens",
                "invalid_value",
            )
        if answer is not None and prompt + answer > context:
            told = f"you requested {prompt + answer} tokens ({prompt} in the messages, {answer} in the completion)."
            end = " Please reduce the length of the messages or completion."
            raise invalid(limit + told + end, "messages", "context_length_exceeded")
        return replace(question, max_tokens=min(answer or context, max(1, context - prompt)))

    def logprobs_wanted(self, body: Mapping[str, Any]) -> int | None:
        """How many alternatives to each token are told; None when no log-probabilities are."""
        return int(body.get("top_logprobs") or 0) if body.get("logprobs") is True else None

    # Answers.

    def finish(self, reply: Reply) -> str:
        """Why it ended. A call that was demanded by name is an ordinary stop, to OpenAI and to vLLM."""
        named = isinstance(reply.body.get("tool_choice"), Mapping)
        return "stop" if named and reply.answer.finish == "tool_calls" else reply.answer.finish

    def usage(self, reply: Reply) -> dict[str, Any]:
        """Tokens, those of secret reasoning included."""
        completion = reply.answer.tokens
        thought = sum(piece.kind == "thinking" for piece in reply.answer.pieces)
        return {
            "prompt_tokens": reply.prompt_tokens,
            "completion_tokens": completion,
            "total_tokens": reply.prompt_tokens + completion,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": thought,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        }

    def token(self, piece: Piece, count: int) -> dict[str, Any]:
        """A generated token with its alternatives."""
        top = [_token(*other) for other in alternatives(piece.text, piece.logprob, count)]
        return {**_token(piece.text, piece.logprob), "top_logprobs": top}

    def logprobs(self, reply: Reply, pieces: Sequence[Piece]) -> dict[str, Any] | None:
        """The log-probabilities of text; those of reasoning and of calls are not told."""
        count = self.logprobs_wanted(reply.body)
        if count is None:
            return None
        content = [self.token(piece, count) for piece in pieces if piece.kind == "text"]
        return {"content": content, "refusal": None}

    def whole(self, reply: Reply) -> dict[str, Any]:
        """A chat completion in one piece."""
        answer = reply.answer
        message: dict[str, Any] = {"role": "assistant", "content": None if answer.calls else answer.text}
        if answer.calls:
            message["tool_calls"] = tool_calls(reply)
        choice = {
            "index": 0,
            "message": {**message, "refusal": None, "annotations": []},
            "logprobs": None if answer.calls else self.logprobs(reply, answer.pieces),
            "finish_reason": self.finish(reply),
        }
        return {**self.head(reply, "chat.completion"), "choices": [choice], "usage": self.usage(reply)}

    def head(self, reply: Reply, kind: str) -> dict[str, Any]:
        """What every document of an answer begins with."""
        head = {"id": reply.id, "object": kind, "created": reply.created, "model": reply.model}
        return {**head, "service_tier": "default", "system_fingerprint": _FINGERPRINT}

    def chunk(
        self, reply: Reply, delta: Mapping[str, Any], finish: str | None = None, pieces: Sequence[Piece] = ()
    ) -> dict[str, Any]:
        """One piece of a stream."""
        logprobs = self.logprobs(reply, pieces) if pieces and pieces[0].kind == "text" else None
        choice = {"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": finish}
        usage = {"usage": None} if reply.wants_usage else {}
        return {**self.head(reply, "chat.completion.chunk"), "choices": [choice], **usage}

    def opening(self, reply: Reply) -> dict[str, Any]:
        """The first piece, which has the role."""
        content = None if reply.answer.calls else ""
        return self.chunk(reply, {"role": "assistant", "content": content, "refusal": None})

    def ending(self, reply: Reply) -> list[dict[str, Any]]:
        """What comes after the last token and before [DONE]."""
        documents = [self.chunk(reply, {}, self.finish(reply))]
        if reply.wants_usage:
            head = self.head(reply, "chat.completion.chunk")
            documents.append({**head, "choices": [], "usage": self.usage(reply)})
        return documents


def tool_calls(reply: Reply) -> list[dict[str, Any]]:
    """Whole tool calls."""
    return [
        {
            "id": call.id,
            "type": "function",
            "function": {"name": call.name, "arguments": json.dumps(call.arguments, ensure_ascii=False)},
        }
        for call in reply.answer.calls
    ]


def _token(text: str, logprob: float) -> dict[str, Any]:
    return {"token": text, "bytes": list(text.encode(errors="replace")), "logprob": round(logprob, 6)}
