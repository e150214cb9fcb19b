"""What OpenAI's dialect is asked."""

from __future__ import annotations

from typing import Any, Final

from turnout.gateway.embedding import MOST_TEXTS
from turnout.gateway.openai.requests import EFFORTS, MOST_STOPS, MOST_TOP_LOGPROBS
from turnout.gateway.openapi.pieces import (
    ANYTHING,
    COUNT,
    FLAG,
    JSON_OBJECT,
    NAMES,
    TEXT,
    Schema,
    between,
    either,
    left_out,
    listed,
    maybe,
    record,
    ref,
    refused,
    words,
)

_MODEL: Final[Schema] = {
    "type": "string",
    "minLength": 1,
    "description": "auto, auto-fast, auto-quality, an ensemble, a voice, a candidate, or the name of a language model.",
    "examples": ["auto"],
}
_STOP: Final[Schema] = either(TEXT, {**NAMES, "maxItems": MOST_STOPS}, {"type": "null"})
_REASONING_WORDS: Final = words(*EFFORTS)
_SAMPLING: Final[dict[str, Schema]] = {
    "temperature": maybe(between(0, 2)),
    "top_p": maybe(between(0, 1)),
    "top_k": maybe(between(0, 2**53, "integer")),
    "min_p": maybe(between(0, 1)),
    "presence_penalty": maybe(between(-2, 2)),
    "frequency_penalty": maybe(between(-2, 2)),
    "repeat_penalty": maybe(between(0, 10)),
    "max_completion_tokens": maybe(between(1, 2**53, "integer")),
    "max_tokens": maybe(between(1, 2**53, "integer"), "The older name of max_completion_tokens."),
    "seed": maybe(between(-(2**63), 2**63 - 1, "integer")),
    "stop": _STOP,
}
_REFUSED: Final[dict[str, Schema]] = {
    "audio": refused("audio is not spoken here."),
    "prediction": refused("predicted outputs are not passed on."),
    "web_search_options": refused("nobody searches the web here."),
    "moderation": refused("nothing is moderated here."),
    "n": maybe(between(1, 1, "integer"), "One answer is given."),
    "modalities": either({"const": ["text"]}, {"type": "null"}),
    "logit_bias": maybe({**JSON_OBJECT, "maxProperties": 0}, "Token ids differ between language models."),
}
_DELIVERY: Final[dict[str, Schema]] = {
    "stream": maybe(FLAG),
    "stream_options": maybe(record({}, {"include_usage": maybe(FLAG), "include_obfuscation": left_out()})),
    "user": maybe(TEXT, "Whose preferences count."),
}
_LEFT_OUT: Final[dict[str, Schema]] = {
    name: left_out()
    for name in ("metadata", "store", "service_tier", "safety_identifier", "prompt_cache_key", "prompt_cache_retention")
}
_TOOL: Final = record(
    {
        "function": record(
            {"name": {"type": "string", "minLength": 1}},
            {
                "description": maybe(TEXT),
                "parameters": maybe(JSON_OBJECT, "A JSON schema."),
                "strict": maybe(FLAG),
            },
        )
    },
    {"type": {"const": "function"}},
)
_FLAT_TOOL: Final = record(
    {"type": {"const": "function"}, "name": {"type": "string", "minLength": 1}},
    {"description": maybe(TEXT), "parameters": maybe(JSON_OBJECT), "strict": maybe(FLAG)},
)
_TOOL_CHOICE: Final = either(
    words("auto", "none", "required"),
    record({"type": {"const": "function"}, "function": record({"name": TEXT})}),
    record({"type": {"const": "function"}, "name": TEXT}),
    {"type": "null"},
)
_SCHEMA: Final = record({"schema": JSON_OBJECT}, {"name": maybe(TEXT), "strict": maybe(FLAG), "description": ANYTHING})
_ANY_TEXT: Final = record({}, {"type": {"type": "null"}}, description="The same as text.")
_FORMAT: Final = either(
    _ANY_TEXT,
    record({"type": words("text", "json_object")}),
    record({"type": {"const": "json_schema"}, "json_schema": _SCHEMA}),
)
_FLAT_FORMAT: Final = either(
    _ANY_TEXT,
    record({"type": words("text", "json_object")}),
    record({"type": {"const": "json_schema"}, "schema": JSON_OBJECT}, {"name": maybe(TEXT), "strict": maybe(FLAG)}),
)
_ADDRESS: Final[Schema] = {"type": "string", "pattern": "^(data:image/|https?://)"}
_PART: Final = either(
    record({"type": words("text", "input_text", "output_text"), "text": TEXT}),
    record({"type": {"const": "refusal"}, "refusal": TEXT}),
    record({"type": {"const": "image_url"}, "image_url": record({"url": _ADDRESS}, {"detail": ANYTHING})}),
    record({"type": {"const": "input_image"}, "image_url": _ADDRESS}, {"detail": ANYTHING}),
)
_CONTENT: Final = either(TEXT, listed(_PART), {"type": "null"})
_CALL: Final = record(
    {"function": record({"name": TEXT}, {"arguments": either(TEXT, JSON_OBJECT)})}, {"id": TEXT, "type": TEXT}
)
_MESSAGE: Final = record(
    {"role": words("system", "developer", "user", "assistant", "tool", "function")},
    {
        "content": _CONTENT,
        "name": maybe(TEXT),
        "tool_calls": maybe(listed(_CALL)),
        "tool_call_id": maybe(TEXT),
        "refusal": maybe(TEXT),
        "audio": refused("audio is not heard here."),
        "function_call": refused("give it as tool_calls."),
    },
)

CHAT_REQUEST: Final = record(
    {"model": _MODEL, "messages": listed(_MESSAGE, minItems=1)},
    {
        **_SAMPLING,
        **_REFUSED,
        **_DELIVERY,
        **_LEFT_OUT,
        "prompt_cache_options": left_out(),
        "parallel_tool_calls": left_out(),
        "verbosity": left_out(),
        "logprobs": maybe(FLAG),
        "top_logprobs": maybe(between(0, MOST_TOP_LOGPROBS, "integer"), "Needs logprobs."),
        "tools": maybe(listed(either(_TOOL, _FLAT_TOOL))),
        "tool_choice": _TOOL_CHOICE,
        "response_format": maybe(_FORMAT),
        "reasoning_effort": maybe(_REASONING_WORDS),
        "functions": refused("give them as tools."),
        "function_call": refused("give it as tool_choice."),
    },
)
TEXT_REQUEST: Final = record(
    {"model": _MODEL, "prompt": either(TEXT, {**NAMES, "minItems": 1, "maxItems": 1})},
    {
        **_SAMPLING,
        **_REFUSED,
        **_DELIVERY,
        "logprobs": maybe(between(0, MOST_TOP_LOGPROBS, "integer")),
        "echo": maybe({"type": "boolean", "const": False}, "The prompt is not repeated."),
        "suffix": maybe({"type": "string", "maxLength": 0}, "Nothing is filled in between two texts."),
        "best_of": maybe(between(1, 1, "integer"), "Ask an ensemble instead."),
    },
)
_ITEM: Final = either(
    record(
        {"role": words("system", "developer", "user", "assistant")}, {"type": {"const": "message"}, "content": _CONTENT}
    ),
    record(
        {"type": {"const": "function_call"}, "name": {"type": "string", "minLength": 1}},
        {"call_id": maybe(TEXT), "arguments": maybe(TEXT), "id": ANYTHING, "status": ANYTHING},
    ),
    record({"type": {"const": "function_call_output"}, "output": _CONTENT}, {"call_id": maybe(TEXT)}),
    record({"type": {"const": "reasoning"}}, {"id": ANYTHING, "summary": ANYTHING, "content": ANYTHING}),
)
RESPONSE_REQUEST: Final = record(
    {"model": _MODEL, "input": either(TEXT, listed(_ITEM, minItems=1))},
    {
        "instructions": maybe(TEXT),
        **{name: _SAMPLING[name] for name in ("temperature", "top_p")},
        "max_output_tokens": maybe(between(1, 2**53, "integer")),
        "top_logprobs": maybe(between(0, MOST_TOP_LOGPROBS, "integer")),
        "include": either(TEXT, {**NAMES, "maxItems": 20}, {"type": "null"}),
        "text": maybe(record({}, {"format": maybe(_FLAT_FORMAT), "verbosity": left_out()})),
        "reasoning": maybe(
            record({}, {"effort": maybe(_REASONING_WORDS), "summary": left_out(), "generate_summary": left_out()})
        ),
        "tools": maybe(listed(either(_FLAT_TOOL, _TOOL))),
        "tool_choice": _TOOL_CHOICE,
        "truncation": left_out("Anything but disabled is"),
        **_DELIVERY,
        **_LEFT_OUT,
        "prompt_cache_options": left_out(),
        "parallel_tool_calls": left_out(),
        "previous_response_id": refused("answers are not kept here."),
        "conversation": refused("conversations are not kept here."),
        "prompt": refused("prompt templates are kept at OpenAI only."),
        "moderation": refused("nothing is moderated here."),
        "background": maybe({"type": "boolean", "const": False}, "Nothing runs on after its client has gone."),
    },
)
EMBEDDING_TEXTS: Final = either(
    {"type": "string", "minLength": 1},
    {"type": "array", "items": {"type": "string", "minLength": 1}, "minItems": 1, "maxItems": MOST_TEXTS},
)
EMBEDDING_REQUEST: Final = record(
    {"model": _MODEL, "input": EMBEDDING_TEXTS},
    {
        "encoding_format": maybe(words("float", "base64")),
        "dimensions": refused("vectors keep the length that their language model gives them."),
        "user": maybe(TEXT),
    },
)
ROUTE_REQUEST: Final = {
    **record(
        {},
        {
            **CHAT_REQUEST["properties"],
            "prompt": maybe(TEXT, "The same as one message of a user."),
            "model": maybe(_MODEL),
            "messages": maybe(listed(_MESSAGE, minItems=1)),
        },
    ),
    "anyOf": [{"required": ["prompt"]}, {"required": ["messages"]}],
}
SCHEMAS: Final[dict[str, Any]] = {
    "ChatRequest": CHAT_REQUEST,
    "TextRequest": TEXT_REQUEST,
    "ResponseRequest": RESPONSE_REQUEST,
    "EmbeddingRequest": EMBEDDING_REQUEST,
    "RouteRequest": ROUTE_REQUEST,
    "Logprob": record(
        {"token": TEXT, "logprob": {"type": "number"}, "bytes": listed(COUNT)}, {"top_logprobs": listed(ref("Logprob"))}
    ),
}
