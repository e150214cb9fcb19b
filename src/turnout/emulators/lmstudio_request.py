"""What LM Studio accepts in the body of a request, and the words in which it refuses the rest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias

from turnout.emulators.api_error import ApiError
from turnout.emulators.call import Call
from turnout.emulators.lmstudio_settings import Version

Body: TypeAlias = Mapping[str, Any]

_FIELDS: Final[Mapping[str, tuple[str, type]]] = {
    "temperature": ("llm.prediction.temperature", float),
    "top_p": ("llm.prediction.topPSampling", float),
    "top_k": ("llm.prediction.topKSampling", int),
    "min_p": ("llm.prediction.minPSampling", float),
    "max_tokens": ("llm.prediction.maxPredictedTokens", int),
    "max_completion_tokens": ("llm.prediction.maxPredictedTokens", int),
    "max_output_tokens": ("llm.prediction.maxPredictedTokens", int),
    "presence_penalty": ("llm.prediction.presencePenalty", float),
    "frequency_penalty": ("llm.prediction.frequencyPenalty", float),
    "repeat_penalty": ("llm.prediction.repeatPenalty", float),
    "seed": ("llm.prediction.seed", int),
    "ttl": ("ttl", float),
    "top_logprobs": ("top_logprobs", int),
    "stream": ("stream", bool),
    "stream_options": ("stream_options", dict),
    "response_format": ("response_format", dict),
    "logit_bias": ("llm.prediction.logitBias", dict),
    "tools": ("tools", list),
    "include": ("include", list),
    "instructions": ("instructions", str),
    "previous_response_id": ("previous_response_id", str),
}
_JSON_NAMES: Final = {str: "string", bool: "boolean", int: "integer", float: "number", list: "array", dict: "object"}
_TOOL_CHOICES: Final = ("none", "auto", "required")
_ROLES: Final = ("system", "developer", "user", "assistant", "tool")
_NOT_BASE64: Final = "'url' field must be a base64 encoded image."
_NO_VISION: Final = "Model does not support images. Please use a model that does."


def read_body(call: Call) -> Body:
    """The body, if it is an object.

    Raises:
        ApiError: it is not. The status is what a client should expect; no source gives it.
    """
    if call.bad_json is not None:
        raise ApiError(400, call.bad_json)
    if not isinstance(call.body, Mapping):
        raise ApiError(400, "The body must be a JSON object")
    return call.body


def is_of_type(value: Any, expected: type) -> bool:
    """Whether a JSON value is of the type; a boolean is no number, and every integer is one."""
    if isinstance(value, bool):
        return expected is bool
    return isinstance(value, int | float) if expected is float else isinstance(value, expected)


def json_name(value: Any) -> str:
    """What JSON calls the type of a value."""
    return next((name for kind, name in _JSON_NAMES.items() if is_of_type(value, kind)), "null")


def check_fields(body: Body) -> None:
    """Fields of the wrong type are named as they are inside the program."""
    for field, (name, expected) in _FIELDS.items():
        value = body.get(field)
        if value is not None and not is_of_type(value, expected):
            raise ApiError(400, f"{name}: Expected {_JSON_NAMES[expected]}, received {json_name(value)}")
    if body.get("stop") is not None and not isinstance(body["stop"], str | list):
        raise ApiError(400, f"llm.prediction.stopStrings: Expected array, received {json_name(body['stop'])}")


def read_chat(call: Call, version: Version) -> Body:
    """A body of a chat completion.

    Raises:
        ApiError: there is something wrong with it.
    """
    body = read_body(call)
    check_fields(body)
    messages = body.get("messages")
    if messages is None:
        raise ApiError(400, "'messages' field is required")
    check_messages(messages)
    _check_tools(body)
    response_format = body.get("response_format")
    if response_format is not None:
        kinds = ("json_schema", "text") if version.since(0, 3, 18) else ("json_schema",)
        if response_format.get("type") not in kinds:
            raise ApiError(400, f"'response_format.type' must be {' or '.join(map(repr, kinds))}")
    return body


def check_messages(messages: Any, field: str = "messages") -> None:
    """Each turn has a role and a content that is text, nothing, or a list of parts."""
    if not isinstance(messages, list):
        raise ApiError(400, f"'{field}' field must be an array")
    if not messages:
        raise ApiError(400, f"'{field}' array must not be empty")
    for message in messages:
        if not isinstance(message, Mapping) or message.get("role") not in _ROLES:
            raise ApiError(400, f"'{field}' array must only contain objects with a 'role' of {', '.join(_ROLES)}")
        content = message.get("content")
        if isinstance(content, list) and not all(
            isinstance(part, Mapping) and isinstance(part.get("type"), str) for part in content
        ):
            raise ApiError(
                400,
                "Invalid 'content': 'content' objects must have a 'type' field that is either 'text' or 'image_url'.",
            )
        if content is not None and not isinstance(content, str | list):
            raise ApiError(400, "Invalid 'content': must be a string or an array of objects")


def _check_tools(body: Body) -> None:
    choice = body.get("tool_choice")
    if choice is not None and choice not in _TOOL_CHOICES:
        kind = choice if isinstance(choice, str) else json_name(choice)
        raise ApiError(400, f"Invalid tool_choice type: '{kind}'. Supported string values: {', '.join(_TOOL_CHOICES)}")
    for tool in body.get("tools") or ():
        function = tool.get("function") if isinstance(tool, Mapping) else None
        if not isinstance(function, Mapping) or not isinstance(function.get("name"), str):
            raise ApiError(400, "Invalid 'tools': each must be of type 'function' and have a 'function' with a 'name'")
        if not isinstance(function.get("parameters") or {}, Mapping):
            raise ApiError(400, "Invalid 'tools': 'function.parameters' must be an object")


def image_addresses(messages: Iterable[Body]) -> list[str]:
    """The addresses of all pictures in a conversation, in each of the three ways to give them."""
    found = []
    for message in messages:
        content = message.get("content")
        for part in content if isinstance(content, list) else ():
            place = part.get("data_url") if part.get("type") == "image" else part.get("image_url")
            if "image" in part["type"]:
                found.append(str(place.get("url") if isinstance(place, Mapping) else place))
    return found


def check_images(messages: Iterable[Body], *, vision: bool) -> None:
    """Pictures have to be inside the request, and the model has to see.

    Raises:
        ApiError: one of this is not so.
    """
    addresses = image_addresses(messages)
    if not all(address.startswith("data:image/") and ";base64," in address for address in addresses):
        raise ApiError(400, _NOT_BASE64)
    if addresses and not vision:
        raise ApiError(400, _NO_VISION)
