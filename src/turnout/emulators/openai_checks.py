"""What OpenAI's own API refuses before it generates anything, in its words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from turnout.emulators.api_error import ApiError
from turnout.emulators.language_model import LanguageModel
from turnout.emulators.questions import message_text

_FIELDS: Final = frozenset(
    "audio frequency_penalty function_call functions logit_bias logprobs max_completion_tokens max_tokens messages "
    "metadata modalities model n parallel_tool_calls prediction presence_penalty prompt_cache_key "
    "prompt_cache_retention reasoning_effort response_format safety_identifier seed service_tier stop store stream "
    "stream_options temperature tool_choice tools top_logprobs top_p user verbosity web_search_options".split()
)
_ROLES: Final = ("system", "assistant", "user", "function", "tool", "developer")
_FORMATS: Final = ("json_object", "json_schema", "text")
_REASONING: Final = re.compile(r"o\d|gpt-[5-9](?!.*chat)")
_TOOL_NAME: Final = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_WHOLE: Final = "an integer"
_NUMBERS: Final = {
    **dict.fromkeys(("temperature", "top_p", "presence_penalty", "frequency_penalty"), "a decimal"),
    **dict.fromkeys(("max_tokens", "max_completion_tokens", "top_logprobs", "seed"), _WHOLE),
}
_MOST_LOGPROBS: Final = 20
_MOST_STOPS: Final = 4
_WARMEST: Final = 2


def invalid(message: str, param: str | None = None, code: str | None = None) -> ApiError:
    """A request that cannot be answered as it is."""
    return ApiError(400, message, type="invalid_request_error", param=param, code=code)


def reasons(model: LanguageModel) -> bool:
    """Whether it is one of OpenAI's reasoning models, which take other parameters."""
    return _REASONING.match(model.name.lower()) is not None


def check_chat(body: Mapping[str, Any], model: LanguageModel) -> None:
    """Look through the body of a chat completion.

    Raises:
        ApiError: the first thing that is wrong with it.
    """
    known = _FIELDS if reasons(model) else _FIELDS - {"reasoning_effort", "verbosity"}
    if unknown := sorted(name for name in body.keys() - known if body[name] is not None):
        arguments = "arguments" if len(unknown) > 1 else "argument"
        raise invalid(f"Unrecognized request {arguments} supplied: {', '.join(unknown)}")
    _check_messages(body.get("messages"), model)
    _check_numbers(body, model)
    _check_tools(body)
    _check_format(body.get("response_format"), body["messages"])
    if body.get("stream_options") is not None and not body.get("stream"):
        message = "The 'stream_options' parameter is only allowed when 'stream' is enabled."
        raise invalid(message, "stream_options")


def _check_messages(messages: Any, model: LanguageModel) -> None:
    if messages is None:
        raise invalid("Missing required parameter: 'messages'.", "messages", "missing_required_parameter")
    if not isinstance(messages, list):
        raise invalid(
            f"Invalid type for 'messages': expected an array of objects, but got {_kind(messages)} instead.",
            "messages",
            "invalid_type",
        )
    if not messages:
        raise invalid(
            "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array instead.",
            "messages",
            "empty_array",
        )
    owed: list[str] = []
    for place, message in enumerate(messages):
        path = f"messages[{place}]"
        if not isinstance(message, Mapping):
            raise invalid(
                f"Invalid type for '{path}': expected an object, but got {_kind(message)} instead.",
                path,
                "invalid_type",
            )
        role, content = message.get("role"), message.get("content")
        if role not in _ROLES:
            supported = ", ".join(f"'{name}'" for name in _ROLES[:-1])
            raise invalid(
                f"Invalid value: '{role}'. Supported values are: {supported}, and '{_ROLES[-1]}'.",
                f"{path}.role",
                "invalid_value",
            )
        if content is None and role != "assistant":
            raise invalid(
                f"Invalid value for 'content': expected a string, got null. ({path}.content)", f"{path}.content"
            )
        if isinstance(content, list) and "vision" not in model.capabilities and _has_image(content):
            raise invalid("Invalid content type. image_url is only supported by certain models.", f"{path}.content")
        owed = _check_turn(message, owed, path)
    if owed:
        raise _unanswered(owed)


def _check_turn(message: Mapping[str, Any], owed: list[str], path: str) -> list[str]:
    """The calls that still have no result after this message."""
    if message["role"] == "tool":
        if message.get("tool_call_id") not in owed:
            text = "messages with role 'tool' must be a response to a preceeding message with 'tool_calls'."
            raise invalid(f"Invalid parameter: {text}", f"{path.replace('[', '.[')}.role")
        return [identifier for identifier in owed if identifier != message["tool_call_id"]]
    if owed:
        raise _unanswered(owed)
    return [str(call.get("id")) for call in message.get("tool_calls") or ()]


def _unanswered(owed: Sequence[str]) -> ApiError:
    return invalid(
        "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. "
        f"The following tool_call_ids did not have response messages: {', '.join(owed)}",
        "messages",
    )


def _check_numbers(body: Mapping[str, Any], model: LanguageModel) -> None:
    for name, kind in _NUMBERS.items():
        value = body.get(name)
        if value is not None and (
            isinstance(value, bool) or not isinstance(value, int if kind == _WHOLE else int | float)
        ):
            message = f"Invalid type for '{name}': expected {kind}, but got {_kind(value)} instead."
            raise invalid(message, name, "invalid_type")
        if name.startswith("max_") and value is not None and value < 1:
            message = f"Invalid '{name}': integer below minimum value. Expected a value >= 1, but got {value} instead."
            raise invalid(message, name, "integer_below_min_value")
    temperature, top = body.get("temperature"), body.get("top_logprobs")
    if reasons(model):
        if body.get("max_tokens") is not None:
            raise invalid(
                "Unsupported parameter: 'max_tokens' is not supported with this model. "
                "Use 'max_completion_tokens' instead.",
                "max_tokens",
                "unsupported_parameter",
            )
        if temperature not in (None, 1):
            raise invalid(
                f"Unsupported value: 'temperature' does not support {temperature} with this model. "
                "Only the default (1) value is supported.",
                "temperature",
                "unsupported_value",
            )
        if body.get("logprobs"):
            raise ApiError(
                403, "You are not allowed to request logprobs from this model.", type="invalid_request_error"
            )
    if temperature is not None and not 0 <= temperature <= _WARMEST:
        above = temperature > _WARMEST
        raise invalid(
            f"Invalid 'temperature': decimal {'above maximum' if above else 'below minimum'} value. "
            f"Expected a value {'<= 2' if above else '>= 0'}, but got {temperature} instead.",
            "temperature",
            f"decimal_{'above_max' if above else 'below_min'}_value",
        )
    if top is not None and not body.get("logprobs"):
        message = "The 'top_logprobs' parameter is only allowed when 'logprobs' is enabled."
        raise invalid(message, "top_logprobs")
    if top is not None and top > _MOST_LOGPROBS:
        message = f"Invalid value for 'top_logprobs': must be less than or equal to {_MOST_LOGPROBS}."
        raise invalid(message, "top_logprobs")
    stop = body.get("stop")
    if isinstance(stop, list) and len(stop) > _MOST_STOPS:
        raise invalid(
            f"Invalid 'stop': array too long. Expected an array with maximum length {_MOST_STOPS}, "
            f"but got an array with length {len(stop)} instead.",
            "stop",
            "array_above_max_length",
        )


def _check_tools(body: Mapping[str, Any]) -> None:
    tools, choice = body.get("tools"), body.get("tool_choice")
    if tools == []:
        raise invalid(
            "Invalid 'tools': empty array. Expected an array with minimum length 1, but got an empty array instead.",
            "tools",
            "empty_array",
        )
    for place, tool in enumerate(tools or ()):
        if not _TOOL_NAME.fullmatch(str((tool.get("function") or {}).get("name", ""))):
            path = f"tools[{place}].function.name"
            pattern = "Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'."
            raise invalid(f"Invalid '{path}': string does not match pattern. {pattern}", path, "invalid_value")
    if choice is None:
        return
    if not tools:
        message = "Invalid value for 'tool_choice': 'tool_choice' is only allowed when 'tools' are specified."
        raise invalid(message, "tool_choice")
    if isinstance(choice, str) and choice not in ("auto", "none", "required"):
        message = f"Invalid value: '{choice}'. Supported values are: 'none', 'auto', and 'required'."
        raise invalid(message, "tool_choice", "invalid_value")
    if isinstance(choice, Mapping):
        name = (choice.get("function") or {}).get("name")
        if name not in [(tool.get("function") or {}).get("name") for tool in tools]:
            raise invalid(f"Tool choice '{name}' not found in 'tools' parameter.", "tool_choice")


def _check_format(wanted: Any, messages: Sequence[Mapping[str, Any]]) -> None:
    if wanted is None:
        return
    kind = wanted.get("type") if isinstance(wanted, Mapping) else None
    if kind not in _FORMATS:
        raise invalid(
            f"Invalid value: '{kind}'. Supported values are: 'json_object', 'json_schema', and 'text'.",
            "response_format.type",
            "invalid_value",
        )
    if kind == "json_object" and "json" not in " ".join(message_text(m.get("content")) for m in messages).lower():
        raise invalid(
            "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.",
            "messages",
        )
    if kind != "json_schema":
        return
    described = wanted.get("json_schema")
    for name in ("json_schema", "json_schema.name"):
        holder = wanted if name == "json_schema" else described
        if not isinstance(holder, Mapping) or not holder.get(name.rpartition(".")[2]):
            path = f"response_format.{name}"
            raise invalid(f"Missing required parameter: '{path}'.", path, "missing_required_parameter")
    if described.get("strict"):
        for problem in strict_problems(described.get("schema") or {}):
            raise invalid(f"Invalid schema for response_format '{described['name']}': {problem}", "response_format")


def strict_problems(schema: Any, context: tuple[str, ...] = ()) -> Iterator[str]:
    """What keeps a schema from being used with `strict`: each object has to be closed and all of it required."""
    if not isinstance(schema, Mapping):
        return
    if not context and schema.get("type") != "object":
        yield f"schema must be a JSON Schema of 'type: \"object\"', got 'type: \"{schema.get('type')}\"'."
    properties = schema.get("properties")
    properties = properties if isinstance(properties, Mapping) else {}
    if schema.get("type") == "object" or properties:
        if schema.get("additionalProperties") is not False:
            yield f"In context={context}, 'additionalProperties' is required to be supplied and to be false."
        for name in properties:
            if name not in (schema.get("required") or ()):
                yield (
                    f"In context={context}, 'required' is required to be supplied and to be an array including every "
                    f"key in properties. Missing '{name}'."
                )
    for keyword in ("properties", "$defs", "definitions"):
        for name, part in (schema.get(keyword) or {}).items():
            yield from strict_problems(part, (*context, keyword, name))
    yield from strict_problems(schema.get("items"), (*context, "items"))
    for place, part in enumerate(schema.get("anyOf") or ()):
        yield from strict_problems(part, (*context, "anyOf", str(place)))


def _has_image(content: Sequence[Any]) -> bool:
    return any(isinstance(part, Mapping) and part.get("type") == "image_url" for part in content)


def _kind(value: Any) -> str:
    names = {str: "a string", bool: "a boolean", int: "an integer", float: "a decimal", dict: "an object"}
    return names.get(type(value), "null" if value is None else "an array")
