"""What the descriptions of several paths have in common: types, headers, errors, responses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

Schema = dict[str, Any]

TEXT: Final[Schema] = {"type": "string"}
FLAG: Final[Schema] = {"type": "boolean"}
NUMBER: Final[Schema] = {"type": "number"}
WHOLE: Final[Schema] = {"type": "integer"}
COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
ANYTHING: Final[Schema] = {}
NAMES: Final[Schema] = {"type": "array", "items": TEXT}
JSON_OBJECT: Final[Schema] = {"type": "object"}


def ref(name: str) -> Schema:
    """A schema by its name."""
    return {"$ref": f"#/components/schemas/{name}"}


def listed(entry: Schema, **bounds: int) -> Schema:
    """A list."""
    return {"type": "array", "items": entry, **bounds}


def between(least: float, most: float, kind: str = "number") -> Schema:
    """A number within bounds."""
    return {"type": kind, "minimum": least, "maximum": most}


def by_name(entry: Schema) -> Schema:
    """An object whose fields are names that nobody knows before, each with such an entry."""
    return {"type": "object", "additionalProperties": entry}


def described(schema: Schema, description: str) -> Schema:
    """It, with what its name does not say."""
    return {**schema, "description": description}


def words(*known: str) -> Schema:
    """One of a few words."""
    return {"type": "string", "enum": list(known)}


def either(*schemas: Schema) -> Schema:
    """Any of these."""
    return {"anyOf": list(schemas)}


def maybe(schema: Schema, description: str = "") -> Schema:
    """It, or null; in a request null is the same as nothing."""
    kind = schema.get("type")
    made = (
        {**schema, "type": [kind, "null"]}
        if isinstance(kind, str) and not {"enum", "const"} & schema.keys()
        else either(schema, NULL)
    )
    return {**made, "description": description} if description else made


NULL: Final[Schema] = {"type": "null"}


def refused(why: str) -> Schema:
    """A field that is understood only where it says nothing."""
    return {"type": "null", "description": f"Refused: {why}"}


def left_out(description: str = "") -> Schema:
    """A field that is taken and not passed on."""
    return {"description": f"{description} Left out, and named in x-turnout-warning.".strip()}


def record(required: Mapping[str, Schema], optional: Mapping[str, Schema] | None = None, **more: Any) -> Schema:
    """An object with these fields, and perhaps others."""
    return {
        "type": "object",
        "required": list(required),
        "properties": {**required, **(optional or {})},
        **more,
    }


# What goes wrong

OPENAI_ERROR: Final = record(
    {
        "error": record(
            {
                "message": TEXT,
                "type": words(
                    "invalid_request_error", "authentication_error", "permission_error", "rate_limit_error", "api_error"
                ),
                "param": maybe(TEXT, "The field of the request that is meant."),
                "code": {"type": "string", "description": "Stable; what programs decide by."},
            }
        )
    },
    examples=[
        {
            "error": {
                "message": "no language model is named 'gpt-0'; there is auto, auto-fast, auto-quality",
                "type": "invalid_request_error",
                "param": "model",
                "code": "model_not_found",
            }
        }
    ],
)
OLLAMA_ERROR: Final = record(
    {"error": TEXT, "code": {"type": "string", "description": "Stable; what programs decide by."}},
    examples=[{"error": "no language model is named 'gpt-0'; there is auto, auto-fast", "code": "model_not_found"}],
)

_MEANINGS: Final = {
    400: "It cannot be understood, or asks for what nobody here can do.",
    401: "No key, or an unknown one.",
    403: "A page of another site asks, or it is about an answer to another key.",
    404: "Nothing has this name.",
    408: "The request was not complete in time.",
    413: "The body is too large.",
    415: "The body is packed in a way that is not understood.",
    417: "An expectation that nobody here meets.",
    421: "The Host header names another machine.",
    429: "Too many requests with this key.",
    431: "The headers are too large.",
    500: "A defect of the gateway.",
    501: "Not here, or an extra is not installed.",
    502: "Every attempt failed.",
    503: "Nobody can serve this now.",
    504: "The deadline passed.",
}
COMMON: Final = (400, 401, 403, 408, 413, 415, 417, 421, 429, 431, 500)
"""What any path can answer, before it is asked."""

NAMED: Final = (*COMMON, 404)
ANSWERING: Final = (*NAMED, 501, 502, 503, 504)

_HEADERS_OF: Final = {
    401: ("WWW-Authenticate",),
    415: ("Accept-Encoding",),
    429: ("Retry-After",),
    503: ("Retry-After",),
}

HEADERS: Final[Mapping[str, Any]] = {
    "x-turnout-decision": {
        "description": "The id of the decision, for POST /turnout/feedback; empty where none was made.",
        "schema": TEXT,
        "example": "18ea81f7636f69192e6e6a9f6a9d9e29",
    },
    "x-turnout-candidate": {"description": "Who answered.", "schema": TEXT, "example": "ollama/llama3.1:8b"},
    "x-turnout-reason": {"description": "Why, in a sentence; ASCII.", "schema": TEXT},
    "x-turnout-warning": {"description": "What of the request was left out.", "schema": TEXT},
    "Retry-After": {"description": "Seconds until another try is worth while.", "schema": COUNT},
    "WWW-Authenticate": {"description": "How a key is sent.", "schema": TEXT},
    "Accept-Encoding": {"description": "How a body may be packed.", "schema": TEXT},
    "Content-Security-Policy": {"description": "Nothing from elsewhere.", "schema": TEXT},
}
TOLD: Final = ("x-turnout-decision", "x-turnout-candidate", "x-turnout-reason", "x-turnout-warning")


def responses(
    success: Mapping[str, Any],
    statuses: tuple[int, ...],
    *,
    ollama: bool = False,
    headers: tuple[str, ...] = (),
    description: str = "It is so.",
) -> dict[str, Any]:
    """What a path can answer.

    Args:
        success: the content of status 200 by media type.
        statuses: what can go wrong.
        ollama: whose shape errors have.
        headers: of status 200.
        description: of status 200.
    """
    content = {"application/json": {"schema": ref("OllamaError" if ollama else "Error")}}
    told: dict[str, Any] = {"200": {"description": description, "content": dict(success), "headers": _headers(headers)}}
    for status in sorted(statuses):
        # What breaks the rules of HTTP is told before it is known which dialect is spoken.
        is_any = ollama and status in (400, 408, 417, 431, 500)
        mixed = {"application/json": {"schema": either(ref("OllamaError"), ref("Error"))}}
        told[str(status)] = {
            "description": _MEANINGS[status],
            "content": mixed if is_any else content,
            "headers": _headers(_HEADERS_OF.get(status, ())),
        }
    return told


def _headers(names: tuple[str, ...]) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def json_content(schema: Schema, example: Any = None) -> dict[str, Any]:
    """JSON of this schema."""
    return {"application/json": {"schema": schema, **({} if example is None else {"example": example})}}


def body(schema: Schema, **examples: Any) -> dict[str, Any]:
    """A body of a request, with examples by name."""
    shown = {name.replace("_", " "): {"value": value} for name, value in examples.items()}
    return {"required": True, "content": {"application/json": {"schema": schema, "examples": shown}}}
