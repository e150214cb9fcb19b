"""The paths of OpenAI's dialect, and what they answer."""

from __future__ import annotations

from typing import Any, Final

from turnout.gateway.openapi.openai_requests import SCHEMAS as REQUESTS
from turnout.gateway.openapi.pieces import (
    ANSWERING,
    COMMON,
    COUNT,
    FLAG,
    JSON_OBJECT,
    NAMED,
    NAMES,
    NUMBER,
    TEXT,
    TOLD,
    WHOLE,
    body,
    either,
    json_content,
    listed,
    maybe,
    record,
    ref,
    responses,
    words,
)

_FINISH: Final = TEXT
_TOLD: Final = record(
    {
        "decision": TEXT,
        "candidate": TEXT,
        "reason": TEXT,
        "confidence": NUMBER,
        "cached": TEXT,
        "escalated": FLAG,
        "fell_back": FLAG,
        "seconds": NUMBER,
        "warnings": NAMES,
    },
    description="How the answer came about.",
)
_USAGE: Final = record(
    {"prompt_tokens": COUNT, "completion_tokens": COUNT, "total_tokens": COUNT},
    {"prompt_tokens_details": JSON_OBJECT, "completion_tokens_details": JSON_OBJECT},
)
_CALLED: Final = record(
    {"id": TEXT, "type": {"const": "function"}, "function": record({"name": TEXT, "arguments": TEXT})}
)
_LIKELY: Final = maybe(record({"content": listed(ref("Logprob"))}))
_CHAT: Final = record(
    {
        "id": TEXT,
        "object": {"const": "chat.completion"},
        "created": WHOLE,
        "model": TEXT,
        "choices": listed(
            record(
                {
                    "index": {"const": 0},
                    "message": record(
                        {"role": {"const": "assistant"}, "content": maybe(TEXT)},
                        {"reasoning_content": TEXT, "tool_calls": listed(_CALLED)},
                    ),
                    "logprobs": _LIKELY,
                    "finish_reason": _FINISH,
                }
            ),
            minItems=1,
            maxItems=1,
        ),
        "usage": maybe(ref("Usage")),
        "turnout": ref("Told"),
    }
)
_CHUNK: Final = record(
    {
        "id": TEXT,
        "object": {"const": "chat.completion.chunk"},
        "created": WHOLE,
        "model": TEXT,
        "choices": listed(
            record({"index": {"const": 0}, "delta": JSON_OBJECT, "finish_reason": maybe(TEXT)}, {"logprobs": _LIKELY}),
            maxItems=1,
        ),
    },
    {"usage": maybe(ref("Usage")), "turnout": ref("Told")},
)
_TEXT: Final = record(
    {
        "id": TEXT,
        "object": {"const": "text_completion"},
        "created": WHOLE,
        "model": TEXT,
        "choices": listed(
            record({"index": {"const": 0}, "text": TEXT, "logprobs": maybe(JSON_OBJECT), "finish_reason": maybe(TEXT)}),
            maxItems=1,
        ),
    },
    {"usage": maybe(ref("Usage")), "turnout": ref("Told")},
)
_RESPONSE: Final = record(
    {
        "id": TEXT,
        "object": {"const": "response"},
        "created_at": WHOLE,
        "status": words("completed", "incomplete", "failed", "in_progress"),
        "model": TEXT,
        "output": listed(record({"id": TEXT, "type": words("message", "reasoning", "function_call"), "status": TEXT})),
        "error": maybe(record({"code": TEXT, "message": TEXT})),
        "incomplete_details": maybe(JSON_OBJECT),
        "usage": maybe(record({"input_tokens": COUNT, "output_tokens": COUNT, "total_tokens": COUNT})),
    },
    {"turnout": ref("Told")},
)
_EVENT: Final = record({"type": TEXT, "sequence_number": COUNT}, {"response": ref("Response")})
_EMBEDDINGS: Final = record(
    {
        "object": {"const": "list"},
        "data": listed(
            record({"object": {"const": "embedding"}, "index": COUNT, "embedding": either(listed(NUMBER), TEXT)})
        ),
        "model": TEXT,
        "usage": record({"prompt_tokens": COUNT, "total_tokens": COUNT}),
    }
)
_MODEL: Final = record(
    {"id": TEXT, "object": {"const": "model"}, "created": WHOLE, "owned_by": TEXT}, {"description": TEXT}
)

SCHEMAS: Final[dict[str, Any]] = {
    **REQUESTS,
    "Told": _TOLD,
    "Usage": _USAGE,
    "ChatCompletion": _CHAT,
    "ChatChunk": _CHUNK,
    "TextCompletion": _TEXT,
    "Response": _RESPONSE,
    "ResponseEvent": _EVENT,
    "Embeddings": _EMBEDDINGS,
    "Model": _MODEL,
}

_PIECES: Final = {
    "ChatChunk": "Each event's data is a ChatChunk; the last one is [DONE]. An answer that fails behind its first word "
    "ends with an event named error, whose data is an Error, and no [DONE]. Lines that begin with a colon are signs of life.",
    "TextCompletion": "Each event's data is a TextCompletion; the last one is [DONE]. A failure is an event named error.",
    "ResponseEvent": "Each event's data is a ResponseEvent, named by its type; the last one is response.completed or "
    "response.incomplete. A failure is response.failed and error.",
}


def _answers(whole: str, piece: str) -> dict[str, Any]:
    """One answer, whole or as a stream of server-sent events."""
    stream = {"schema": {"type": "string", "description": _PIECES[piece], "x-event-schema": ref(piece)}}
    content = {**json_content(ref(whole)), "text/event-stream": stream}
    return responses(content, ANSWERING, headers=TOLD, description="The answer, or a stream of its pieces.")


_HELLO: Final = [{"role": "user", "content": "quick question: what is a mutex?"}]

PATHS: Final[dict[str, Any]] = {
    "/v1/chat/completions": {
        "post": {
            "operationId": "chat",
            "summary": "A chat completion, by whoever is best for it",
            "requestBody": body(
                ref("ChatRequest"),
                whole={"model": "auto", "messages": _HELLO},
                streamed={
                    "model": "auto-fast",
                    "messages": _HELLO,
                    "stream": True,
                    "stream_options": {"include_usage": True},
                },
            ),
            "responses": _answers("ChatCompletion", "ChatChunk"),
        }
    },
    "/v1/completions": {
        "post": {
            "operationId": "text",
            "summary": "A completion of a text, asked as a user's message",
            "requestBody": body(
                ref("TextRequest"), whole={"model": "auto", "prompt": "what is a mutex?", "max_tokens": 50}
            ),
            "responses": _answers("TextCompletion", "TextCompletion"),
        }
    },
    "/v1/responses": {
        "post": {
            "operationId": "response",
            "summary": "A response; none is kept",
            "requestBody": body(
                ref("ResponseRequest"),
                whole={"model": "auto", "input": "what is a mutex?"},
                streamed={"model": "auto", "input": _HELLO, "stream": True, "reasoning": {"effort": "low"}},
            ),
            "responses": _answers("Response", "ResponseEvent"),
        }
    },
    "/v1/embeddings": {
        "post": {
            "operationId": "embeddings",
            "summary": "One vector for each text",
            "requestBody": body(ref("EmbeddingRequest"), one={"model": "auto", "input": "a text"}),
            "responses": responses(
                json_content(ref("Embeddings")), ANSWERING, headers=TOLD, description="The vectors."
            ),
        }
    },
    "/v1/models": {
        "get": {
            "operationId": "models",
            "summary": "Every name that can stand in place of a language model's",
            "responses": responses(
                json_content(record({"object": {"const": "list"}, "data": listed(ref("Model"))})), COMMON
            ),
        }
    },
    "/v1/models/{name}": {
        "get": {
            "operationId": "model",
            "summary": "One of them; its name may contain slashes",
            "parameters": [
                {
                    "name": "name",
                    "in": "path",
                    "required": True,
                    "schema": {"type": "string", "minLength": 1},
                    "example": "auto",
                }
            ],
            "responses": responses(json_content(ref("Model")), NAMED),
        }
    },
}
