"""The paths of Ollama's dialect, what they are asked and what they answer."""

from __future__ import annotations

from typing import Any, Final

from turnout.gateway.openai.requests import EFFORTS, MOST_STOPS, MOST_TOP_LOGPROBS
from turnout.gateway.openapi.openai_requests import EMBEDDING_TEXTS
from turnout.gateway.openapi.pieces import (
    ANSWERING,
    ANYTHING,
    COMMON,
    COUNT,
    FLAG,
    JSON_OBJECT,
    NAMED,
    NAMES,
    NUMBER,
    TEXT,
    TOLD,
    Schema,
    between,
    body,
    either,
    json_content,
    left_out,
    listed,
    maybe,
    record,
    ref,
    refused,
    responses,
    words,
)

_NAMES: Final[dict[str, Schema]] = {
    "model": TEXT,
    "name": {"type": "string", "description": "The older word for model."},
}
_OPTIONS: Final = record(
    {},
    {
        "temperature": maybe(between(0, 10)),
        "top_p": maybe(between(0, 1)),
        "top_k": maybe(between(0, 2**53, "integer")),
        "min_p": maybe(between(0, 1)),
        "presence_penalty": maybe(between(-2, 2)),
        "frequency_penalty": maybe(between(-2, 2)),
        "repeat_penalty": maybe(between(0, 10)),
        "num_predict": maybe(between(-2, 2**53, "integer"), "-1 and -2 are as many as it takes."),
        "seed": maybe(between(-(2**63), 2**63 - 1, "integer")),
        "stop": either(TEXT, {**NAMES, "maxItems": MOST_STOPS}, {"type": "null"}),
        "num_ctx": left_out("The configuration says how a language model is run."),
    },
)
_SHARED: Final[dict[str, Schema]] = {
    **_NAMES,
    "stream": maybe(FLAG, "True unless it is said otherwise."),
    "options": maybe(_OPTIONS),
    "format": either(words("json", ""), JSON_OBJECT, {"type": "null"}),
    "think": either(FLAG, words(*EFFORTS), {"type": "null"}),
    "logprobs": maybe(FLAG),
    "top_logprobs": maybe(between(0, MOST_TOP_LOGPROBS, "integer")),
    "keep_alive": left_out("The configuration says how long a language model stays."),
}
_CALL: Final = record(
    {"function": record({"name": {"type": "string", "minLength": 1}}, {"arguments": either(JSON_OBJECT, TEXT)})},
    {"id": TEXT},
)
_IMAGES: Final = maybe(listed({"type": "string", "minLength": 1}), "In base64, without a word about the kind.")
_MESSAGE: Final = record(
    {"role": words("system", "user", "assistant", "tool")},
    {
        "content": maybe(TEXT),
        "images": _IMAGES,
        "tool_calls": maybe(listed(_CALL)),
        "tool_name": maybe(TEXT),
        "name": maybe(TEXT),
        "tool_call_id": maybe(TEXT),
        "thinking": maybe(TEXT, "Of an earlier turn; not passed on."),
    },
)
_FUNCTION: Final = record(
    {"name": {"type": "string", "minLength": 1}}, {"description": maybe(TEXT), "parameters": maybe(JSON_OBJECT)}
)
_CHAT: Final = record(
    {"model": TEXT},
    {
        **_SHARED,
        "messages": maybe(listed(_MESSAGE), "None brings the language model into memory."),
        "tools": maybe(listed(record({"function": _FUNCTION}, {"type": {"const": "function"}}))),
    },
)
_GENERATE: Final = record(
    {"model": TEXT},
    {
        **_SHARED,
        "prompt": maybe(TEXT, "None brings the language model into memory."),
        "system": maybe(TEXT),
        "images": _IMAGES,
        "suffix": maybe({"type": "string", "maxLength": 0}, "Nothing is filled in between two texts."),
        "template": maybe({"type": "string", "maxLength": 0}, "The template is the provider's."),
        "context": maybe({"type": "array", "items": ANYTHING, "maxItems": 0}, "Give the turns before to /api/chat."),
        "raw": maybe({"type": "boolean", "const": False}),
    },
)
_DIMENSIONS: Final = refused("vectors keep the length that their language model gives them.")
_DETAILS: Final = record(
    {
        "parent_model": TEXT,
        "format": TEXT,
        "family": TEXT,
        "families": NAMES,
        "parameter_size": TEXT,
        "quantization_level": TEXT,
    }
)
_LISTED: Final = record(
    {"name": TEXT, "model": TEXT, "modified_at": TEXT, "size": COUNT, "digest": TEXT, "details": _DETAILS},
    {"size_vram": COUNT, "expires_at": TEXT, "context_length": COUNT},
)
_SAID: Final[dict[str, Schema]] = {
    "done_reason": TEXT,
    "logprobs": listed(ref("Logprob")),
    "turnout": ref("Told"),
    **dict.fromkeys(("total_duration", "load_duration", "prompt_eval_duration", "eval_duration"), COUNT),
    **dict.fromkeys(("prompt_eval_count", "eval_count"), COUNT),
}
_SPOKEN: Final = record(
    {"role": {"const": "assistant"}, "content": TEXT},
    {"thinking": TEXT, "tool_calls": listed(record({"function": record({"name": TEXT, "arguments": JSON_OBJECT})}))},
)
_HEAD: Final[dict[str, Schema]] = {"model": TEXT, "created_at": TEXT, "done": FLAG}

SCHEMAS: Final[dict[str, Any]] = {
    "OllamaChatRequest": _CHAT,
    "OllamaGenerateRequest": _GENERATE,
    "OllamaEmbedRequest": record(
        {"model": TEXT, "input": EMBEDDING_TEXTS},
        {"dimensions": _DIMENSIONS, **{name: left_out() for name in ("truncate", "options", "keep_alive")}},
    ),
    "OllamaOlderEmbedRequest": record(
        {"model": TEXT, "prompt": EMBEDDING_TEXTS}, {name: left_out() for name in ("options", "keep_alive")}
    ),
    "OllamaShowRequest": record({"model": TEXT}, {"name": TEXT, "verbose": ANYTHING}),
    "OllamaChat": record({**_HEAD, "message": _SPOKEN}, _SAID),
    "OllamaGeneration": record({**_HEAD, "response": TEXT}, {"thinking": TEXT, **_SAID}),
    "OllamaModel": _LISTED,
}


def _answers(whole: str) -> dict[str, Any]:
    lines = {
        "type": "string",
        "description": f"Each line is a piece, {whole}; done is true in the last one. An answer that fails behind its "
        "first word ends with a line that is an OllamaError.",
        "x-line-schema": ref(whole),
    }
    content = {**json_content(ref(whole)), "application/x-ndjson": {"schema": lines}}
    return responses(
        content, ANSWERING, ollama=True, headers=TOLD, description="The answer, or a stream of its pieces."
    )


def _elsewhere(name: str, method: str = "post") -> dict[str, Any]:
    """A path that changes a provider's language models, which is not done here."""
    told = responses({}, (*COMMON, 501), ollama=True)
    del told["200"]
    summary = "Not here: the provider itself is to be asked"
    return {method: {"operationId": name, "summary": summary, "responses": told}}


_HELLO: Final = [{"role": "user", "content": "quick question: what is a mutex?"}]
_VECTORS: Final = record({"model": TEXT, "embeddings": listed(listed(NUMBER)), "total_duration": COUNT})


def _post(name: str, summary: str, request: dict[str, Any], told: dict[str, Any]) -> dict[str, Any]:
    return {"post": {"operationId": name, "summary": summary, "requestBody": request, "responses": told}}


def _get(name: str, summary: str, schema: Schema) -> dict[str, Any]:
    told = responses(json_content(schema), COMMON, ollama=True)
    return {"get": {"operationId": name, "summary": summary, "responses": told}}


PATHS: Final[dict[str, Any]] = {
    "/api/chat": _post(
        "ollamaChat",
        "A chat, streamed unless it is said otherwise",
        body(
            ref("OllamaChatRequest"),
            streamed={"model": "auto", "messages": _HELLO},
            whole={"model": "auto:latest", "messages": _HELLO, "stream": False, "options": {"temperature": 0}},
        ),
        _answers("OllamaChat"),
    ),
    "/api/generate": _post(
        "ollamaGenerate",
        "An answer to a prompt",
        body(ref("OllamaGenerateRequest"), whole={"model": "auto", "prompt": "what is a mutex?", "stream": False}),
        _answers("OllamaGeneration"),
    ),
    "/api/embed": _post(
        "ollamaEmbed",
        "One vector for each text",
        body(ref("OllamaEmbedRequest"), one={"model": "auto", "input": "a text"}),
        responses(json_content(_VECTORS), ANSWERING, ollama=True, headers=TOLD),
    ),
    "/api/embeddings": _post(
        "ollamaOlderEmbed",
        "One vector; the older form of /api/embed",
        body(ref("OllamaOlderEmbedRequest"), one={"model": "auto", "prompt": "a text"}),
        responses(json_content(record({"embedding": listed(NUMBER)})), ANSWERING, ollama=True, headers=TOLD),
    ),
    "/api/show": _post(
        "ollamaShow",
        "What is known of a language model",
        body(ref("OllamaShowRequest"), one={"model": "auto"}),
        responses(
            json_content(record({"details": _DETAILS, "model_info": JSON_OBJECT, "capabilities": NAMES})),
            NAMED,
            ollama=True,
        ),
    ),
    "/api/tags": _get("ollamaTags", "Every name that can be asked for", record({"models": listed(ref("OllamaModel"))})),
    "/api/ps": _get("ollamaPs", "What is in memory", record({"models": listed(ref("OllamaModel"))})),
    "/api/version": _get("ollamaVersion", "Whose dialect this is", record({"version": TEXT})),
    **{f"/api/{name}": _elsewhere(name) for name in ("pull", "push", "create", "copy")},
    "/api/delete": _elsewhere("delete", "delete"),
}
