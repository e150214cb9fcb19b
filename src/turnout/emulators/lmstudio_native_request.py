"""What LM Studio's own API accepts: known fields of the right type, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from turnout.emulators.api_error import ApiError
from turnout.emulators.call import Call
from turnout.emulators.lmstudio_request import Body, is_of_type, json_name, read_body


def refusal(message: str, code: str, param: str | None = None) -> ApiError:
    """An error of the native API, as it words errors of the request."""
    return ApiError(400, message, type="invalid_request", code=code, param=param)


def read_native(call: Call, fields: Mapping[str, type], required: Sequence[str]) -> Body:
    """A body whose fields are all known.

    Raises:
        ApiError: a field is missing, unknown, or of the wrong type.
    """
    body = read_body(call)
    for name in required:
        if body.get(name) in (None, ""):
            raise refusal(f"'{name}' is required", "missing_required_parameter", name)
    unknown = [name for name in body if name not in fields]
    if unknown:
        names = ", ".join(f"'{name}'" for name in unknown)
        raise refusal(f"Unrecognized key(s) in object: {names}", "unrecognized_keys")
    for name, expected in fields.items():
        if name in body and expected is not object and not is_of_type(body[name], expected):
            kind = json_name(body[name])
            raise refusal(f"Invalid type for '{name}': {kind} was received", "invalid_type", name)
    return body


def read_input(value: Any) -> list[Mapping[str, Any]]:
    """The input of a chat as parts of one turn.

    Raises:
        ApiError: it is neither text nor a list of messages and images.
    """
    if isinstance(value, str):
        return [{"type": "text", "text": value}]
    if not isinstance(value, list) or not value:
        raise refusal("'input' must be a string or a non-empty array", "invalid_type", "input")
    parts: list[Mapping[str, Any]] = []
    for place, item in enumerate(value):
        kind = item.get("type") if isinstance(item, Mapping) else None
        if kind in ("message", "text"):
            parts.append({"type": "text", "text": _field(item, place, "content")})
        elif kind == "image":
            parts.append({"type": "image", "data_url": _field(item, place, "data_url")})
        else:
            raise refusal(f"Invalid discriminator value for 'input.{place}.type'", "invalid_union", "input")
    return parts


def _field(item: Mapping[str, Any], place: int, name: str) -> str:
    problems = [] if isinstance(item.get(name), str) else [f"'input.{place}.{name}' is required"]
    unknown = [key for key in item if key not in ("type", name)]
    if unknown:
        problems.append("Unrecognized key(s) in object: " + ", ".join(f"'{key}'" for key in unknown))
    if problems:
        raise refusal(", ".join(problems), "invalid_union", "input")
    return str(item[name])
