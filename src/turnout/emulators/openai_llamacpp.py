"""llama.cpp's server: one model that answers to any name, errors with a number as code, a non-OpenAI field here and there.

Follows captures of the real server; what could not be captured (several models in one server) follows its source.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from turnout.emulators.answers import Piece
from turnout.emulators.api_error import ApiError
from turnout.emulators.language_model import LanguageModel
from turnout.emulators.openai_dialect import OpenAIDialect, Reply, tool_calls
from turnout.emulators.openai_errors import LlamaCppErrors
from turnout.emulators.questions import Question

_BUILD = "b0-unknown"
_LIKELIEST = 20
_END_ID = 2
_VOCABULARY = 128_256


class _PromptTooLongError(ApiError):
    """It tells the numbers beside the text."""

    def __init__(self, tokens: int, context: int) -> None:
        text = f"request ({tokens} tokens) exceeds the available context size ({context} tokens), try increasing it"
        super().__init__(400, text, type="exceed_context_size_error")
        self.counts = {"n_prompt_tokens": tokens, "n_ctx": context}


def _invalid(message: str) -> ApiError:
    return ApiError(400, message, type="invalid_request_error")


def _failed(message: str) -> ApiError:
    """The caller's fault as often as not, yet a 500."""
    return ApiError(500, message, type="server_error")


class LlamaCppDialect(LlamaCppErrors, OpenAIDialect):
    """Started with one model, `--jinja`, and `--embeddings` where that model makes vectors."""

    name = "llamacpp"
    models = ("llama-3.1-8b-instruct-q4_k_m.gguf",)
    slots = 4
    stream_type = "text/event-stream"
    headers: ClassVar[Mapping[str, str]] = {"Server": "llama.cpp"}
    open_paths = ("/health", "/v1/health")
    outlives_client = True
    early_headers = False
    closes_after_errors = True
    reasoning_field = "reasoning_content"

    def choose(self, models: Mapping[str, LanguageModel], name: object, *, embedding: bool) -> LanguageModel:
        fitting = [model for model in models.values() if not embedding or model.is_embedding]
        if not fitting:
            raise self.not_embedding()
        return next((model for model in fitting if model.name == name), fitting[0])

    def echo(self, model: LanguageModel) -> str:
        return model.name

    def listing(self, models: Sequence[LanguageModel], context: int | None) -> dict[str, Any]:
        old = [
            {
                "name": model.name,
                "model": model.name,
                "capabilities": ["embedding" if model.is_embedding else "completion"],
            }
            for model in models
        ]
        return {"models": old, **super().listing(models, context)}

    def listed(self, model: LanguageModel, context: int) -> dict[str, Any]:
        meta = {
            "vocab_type": 1,
            "n_vocab": _VOCABULARY,
            "n_ctx": context,
            "n_ctx_train": model.max_context,
            "n_params": int(model.parameters_b * 1e9),
            "size": model.size_bytes,
        }
        entry = {**super().listed(model, context), "owned_by": "llamacpp", "aliases": [model.name], "tags": []}
        return {**entry, "meta": meta}

    def check_chat(self, body: Mapping[str, Any], model: LanguageModel) -> None:
        messages = body.get("messages")
        if messages is None:
            raise _invalid("'messages' is required")
        if not isinstance(messages, list):
            raise _invalid("Expected 'messages' to be an array")
        for message in messages:
            self._check_message(message, model)
        temperature, tools, choice = body.get("temperature"), body.get("tools"), body.get("tool_choice")
        if isinstance(temperature, str):
            fault = "[json.exception.type_error.302] type must be number, but is string"
            raise _invalid(f"Field 'temperature': {fault}")
        if tools is not None and not isinstance(tools, list):
            raise _failed(f"Failed to parse tools: Expected 'tools' to be an array, got {tools}; tools = {tools}")
        if isinstance(choice, str) and choice not in ("auto", "none", "required"):
            raise _invalid(f"Invalid tool_choice: {choice}")
        if body.get("top_logprobs") is not None and not body.get("logprobs"):
            raise _invalid("top_logprobs requires logprobs to be set to true")
        kind = (body.get("response_format") or {}).get("type")
        if kind not in (None, "text", "json_object", "json_schema"):
            raise _invalid(f'response_format type must be one of "text" or "json_object", but got: {kind}')

    def _check_message(self, message: Mapping[str, Any], model: LanguageModel) -> None:
        content = message.get("content")
        if "role" not in message:
            raise _failed(f"Failed to parse messages: Missing 'role' in message: {json.dumps(message)}")
        if "content" not in message and message["role"] != "assistant":
            raise _invalid("All non-assistant messages must contain 'content'")
        if content is not None and not isinstance(content, str | list):
            raise _invalid("Expected 'content' to be a string or an array")
        kinds = {part.get("type") for part in content or () if isinstance(part, Mapping)}
        if "image_url" in kinds and "vision" not in model.capabilities:
            hint = "hint: if this is unexpected, you may need to provide the mmproj"
            raise _failed(f"image input is not supported - {hint}")
        if kinds - {"text", "image_url", "input_audio"}:
            raise _invalid("unsupported content[].type")

    def check_completion(self, body: Mapping[str, Any], model: LanguageModel) -> None:
        del model
        if body.get("prompt") is None:
            raise _invalid('"prompt" is required')

    def question(self, body: Mapping[str, Any], model: LanguageModel) -> Question:
        question = super().question(body, model)
        if body.get("max_tokens") == 0:
            question = replace(question, max_tokens=1)
        if "tools" not in model.capabilities:  # a template that does not know them leaves them out without a word
            question = replace(question, tools=())
        named = isinstance(body.get("tool_choice"), Mapping)  # ignored
        return replace(question, tool_choice="auto") if named else question

    def fit(self, question: Question, context: int) -> Question:
        if question.prompt_tokens > context:
            raise _PromptTooLongError(question.prompt_tokens, context)
        room = max(1, context - question.prompt_tokens)
        return replace(question, max_tokens=min(question.max_tokens or room, room))

    def logprobs_wanted(self, body: Mapping[str, Any]) -> int | None:
        return int(body.get("top_logprobs", _LIKELIEST)) or None if body.get("logprobs") is True else None

    def finish(self, reply: Reply) -> str:
        return reply.answer.finish

    def usage(self, reply: Reply) -> dict[str, Any]:
        completion = reply.answer.tokens + (reply.answer.finish == "stop")  # the end is a token as well
        return {
            "completion_tokens": completion,
            "prompt_tokens": reply.prompt_tokens,
            "total_tokens": reply.prompt_tokens + completion,
            "prompt_tokens_details": {"cached_tokens": 0},
        }

    def token(self, piece: Piece, count: int) -> dict[str, Any]:
        entry = super().token(piece, count)
        top = [{"id": self._token_id(other["token"]), **other} for other in entry["top_logprobs"]]
        return {"id": self._token_id(piece.text), **entry, "top_logprobs": top}

    @staticmethod
    def _token_id(text: str) -> int:
        return sum(text.encode(errors="replace")) * 31 % _VOCABULARY

    def logprobs(self, reply: Reply, pieces: Sequence[Piece]) -> dict[str, Any] | None:
        logprobs = super().logprobs(reply, pieces)
        return None if logprobs is None else {"content": logprobs["content"]}

    def whole(self, reply: Reply) -> dict[str, Any]:
        answer = reply.answer
        message: dict[str, Any] = {"role": "assistant", "content": None if answer.calls else answer.text}
        if answer.thinking:
            message["reasoning_content"] = answer.thinking
        if answer.calls:
            message["tool_calls"] = tool_calls(reply)
        choice: dict[str, Any] = {"finish_reason": answer.finish, "index": 0, "message": message}
        logprobs = self.logprobs(reply, answer.pieces)
        if logprobs is not None:
            if answer.finish == "stop":
                end = {"id": _END_ID, "token": "", "bytes": [], "logprob": -0.01, "top_logprobs": []}
                logprobs["content"].append(end)
            choice["logprobs"] = logprobs
        document = {"choices": [choice], **self.head(reply, "chat.completion"), "usage": self.usage(reply)}
        return {**document, "timings": self.timings(reply)}

    def head(self, reply: Reply, kind: str) -> dict[str, Any]:
        head = {"created": reply.created, "model": reply.model, "system_fingerprint": _BUILD}
        return {**head, "object": kind, "id": reply.id}

    def timings(self, reply: Reply) -> dict[str, Any]:
        """What the server measured itself."""
        prompt, predicted = reply.prompt_tokens, reply.answer.tokens
        prompt_ms, predicted_ms = max(0.001, reply.prefill_s * 1000), max(0.001, reply.decode_s * 1000)
        return {
            "cache_n": 0,
            "prompt_n": prompt,
            "prompt_ms": round(prompt_ms, 3),
            "prompt_per_token_ms": prompt_ms / max(1, prompt),
            "prompt_per_second": prompt / prompt_ms * 1000,
            "predicted_n": predicted,
            "predicted_ms": round(predicted_ms, 3),
            "predicted_per_token_ms": predicted_ms / max(1, predicted),
            "predicted_per_second": predicted / predicted_ms * 1000,
        }

    def chunk(
        self, reply: Reply, delta: Mapping[str, Any], finish: str | None = None, pieces: Sequence[Piece] = ()
    ) -> dict[str, Any]:
        choice: dict[str, Any] = {"finish_reason": finish, "index": 0, "delta": delta}
        logprobs = self.logprobs(reply, pieces) if pieces and pieces[0].kind == "text" else None
        if logprobs is not None:
            choice["logprobs"] = logprobs
        return {"choices": [choice], **self.head(reply, "chat.completion.chunk")}

    def opening(self, reply: Reply) -> dict[str, Any]:
        return self.chunk(reply, {"role": "assistant", "content": None})

    def ending(self, reply: Reply) -> list[dict[str, Any]]:
        documents = [self.chunk(reply, {}, self.finish(reply))]
        if reply.wants_usage:
            head = self.head(reply, "chat.completion.chunk")
            documents.append({"choices": [], **head, "usage": self.usage(reply)})
        documents[-1]["timings"] = self.timings(reply)
        return documents
