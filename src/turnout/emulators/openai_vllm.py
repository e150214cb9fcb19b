"""vLLM's server: fields that OpenAI does not have, limits checked before anything runs, [DONE] even after an error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from turnout.emulators.answers import Piece
from turnout.emulators.api_error import ApiError
from turnout.emulators.language_model import LanguageModel
from turnout.emulators.openai_dialect import OpenAIDialect, Reply, tool_calls
from turnout.emulators.openai_errors import VllmErrors
from turnout.emulators.questions import Question

_MOST_LOGPROBS = 20


def _bad(message: str, param: str | None = None) -> ApiError:
    return ApiError(400, message, type="BadRequestError", param=param)


def _field_required(name: str) -> ApiError:
    told = f"[{{'type': 'missing', 'loc': ('body', '{name}'), 'msg': 'Field required'}}]"
    return ApiError(400, told, type="Bad Request")


class VllmDialect(VllmErrors, OpenAIDialect):
    """Started with one model, its parsers for tools and for reasoning switched on."""

    name = "vllm"
    models = ("Qwen/Qwen3-8B",)
    slots = 256
    headers: ClassVar[Mapping[str, str]] = {"Server": "uvicorn"}
    open_paths = ("/health", "/version")
    reasoning_field = "reasoning"
    done_after_errors = True

    def choose(self, models: Mapping[str, LanguageModel], name: object, *, embedding: bool) -> LanguageModel:
        model = models.get(name) if isinstance(name, str) and name else next(iter(models.values()))
        if model is None:
            raise self.no_model(str(name))
        if embedding and not model.is_embedding:
            raise self.not_embedding()
        return model

    def echo(self, model: LanguageModel) -> str:
        return model.name

    def listed(self, model: LanguageModel, context: int) -> dict[str, Any]:
        entry = {**super().listed(model, context), "owned_by": "vllm", "root": model.name, "parent": None}
        permission = {"id": "modelperm-1", "object": "model_permission", "allow_sampling": True, "organization": "*"}
        return {**entry, "max_model_len": context, "permission": [permission]}

    def check_chat(self, body: Mapping[str, Any], model: LanguageModel) -> None:
        if model.is_embedding:
            raise _bad("The model does not support Chat Completions API")
        if not isinstance(body.get("messages"), list):
            raise _field_required("messages")
        self._check_sampling(body)
        if body.get("tool_choice") not in (None, "none") and not body.get("tools"):
            raise _bad("When using `tool_choice`, `tools` must be set.")
        if body.get("stream_options") is not None and not body.get("stream"):
            raise _bad("Stream options can only be defined when `stream=True`.", "stream_options")
        images = [
            part
            for message in body["messages"]
            if isinstance(message.get("content"), list)
            for part in message["content"]
            if isinstance(part, Mapping) and part.get("type") == "image_url"
        ]
        if images and "vision" not in model.capabilities:
            raise _bad(f"{model.name} is not a multimodal model")

    @staticmethod
    def _check_sampling(body: Mapping[str, Any]) -> None:
        top, temperature, limit = body.get("top_logprobs"), body.get("temperature"), body.get("max_tokens")
        if top is not None and not body.get("logprobs"):
            raise _bad("when using `top_logprobs`, `logprobs` must be set to true.", "top_logprobs")
        if top is not None and top > _MOST_LOGPROBS:
            text = f"Requested sample logprobs of {top}, which is greater than max allowed: {_MOST_LOGPROBS}"
            raise _bad(text, "logprobs")
        if temperature is not None and temperature < 0:
            raise _bad(f"temperature must be non-negative, got {float(temperature)}.", "temperature")
        if limit is not None and limit < 1:
            raise _bad(f"max_tokens must be at least 1, got {limit}.", "max_tokens")

    def check_completion(self, body: Mapping[str, Any], model: LanguageModel) -> None:
        if model.is_embedding:
            raise _bad("The model does not support Completions API")
        if body.get("prompt") is None:
            raise _bad("Either prompt or prompt_embeds must be provided and non-empty.", "prompt")

    def question(self, body: Mapping[str, Any], model: LanguageModel) -> Question:
        question = super().question(body, model)
        switched_off = (body.get("chat_template_kwargs") or {}).get("enable_thinking") is False
        return replace(question, think=question.think and not switched_off)

    def fit(self, question: Question, context: int) -> Question:
        prompt, answer = question.prompt_tokens, question.max_tokens or 0
        if prompt >= context or prompt + answer > context:
            raise _bad(
                f"This model's maximum context length is {context} tokens. However, you requested {answer} output "
                f"tokens and your prompt contains at least {prompt} input tokens, for a total of at least "
                f"{prompt + answer} tokens. Please reduce the length of the input prompt or the number of requested "
                f"output tokens. (parameter=input_tokens, value={prompt})",
                "input_tokens",
            )
        return replace(question, max_tokens=answer or context - prompt)

    def usage(self, reply: Reply) -> dict[str, Any]:
        completion = reply.answer.tokens
        total = reply.prompt_tokens + completion
        usage = {"prompt_tokens": reply.prompt_tokens, "total_tokens": total, "completion_tokens": completion}
        return {**usage, "prompt_tokens_details": None}

    def logprobs(self, reply: Reply, pieces: Sequence[Piece]) -> dict[str, Any] | None:
        logprobs = super().logprobs(reply, pieces)
        return None if logprobs is None else {"content": logprobs["content"]}

    def whole(self, reply: Reply) -> dict[str, Any]:
        answer = reply.answer
        message = {
            "role": "assistant",
            "content": None if answer.calls else answer.text,
            "refusal": None,
            "annotations": None,
            "audio": None,
            "function_call": None,
            "tool_calls": tool_calls(reply),
            "reasoning": answer.thinking or None,
        }
        choice = {
            "index": 0,
            "message": message,
            "logprobs": self.logprobs(reply, answer.pieces),
            "finish_reason": self.finish(reply),
            "stop_reason": None,
            "token_ids": None,
        }
        document = {**self.head(reply, "chat.completion"), "choices": [choice], "service_tier": None}
        ending = {"system_fingerprint": None, "usage": self.usage(reply), "prompt_logprobs": None}
        return {**document, **ending, "kv_transfer_params": None}

    def head(self, reply: Reply, kind: str) -> dict[str, Any]:
        return {"id": reply.id, "object": kind, "created": reply.created, "model": reply.model}

    def chunk(
        self, reply: Reply, delta: Mapping[str, Any], finish: str | None = None, pieces: Sequence[Piece] = ()
    ) -> dict[str, Any]:
        logprobs = self.logprobs(reply, pieces) if pieces and pieces[0].kind == "text" else None
        choice: dict[str, Any] = {"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": finish}
        if finish is not None:
            choice["stop_reason"] = None
        return {**self.head(reply, "chat.completion.chunk"), "choices": [choice]}

    def opening(self, reply: Reply) -> dict[str, Any]:
        return self.chunk(reply, {"role": "assistant", "content": ""})

    def ending(self, reply: Reply) -> list[dict[str, Any]]:
        documents = [self.chunk(reply, {"content": ""}, self.finish(reply))]
        if reply.wants_usage:
            head = self.head(reply, "chat.completion.chunk")
            documents.append({**head, "choices": [], "usage": self.usage(reply)})
        return documents
