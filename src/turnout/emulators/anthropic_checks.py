"""What Anthropic's Messages API refuses before it generates anything, in its words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from turnout.emulators.anthropic_request import blocks_of, longest_answer, of_type, version_of
from turnout.emulators.api_error import ApiError
from turnout.emulators.language_model import LanguageModel

_FIELDS: Final = frozenset(
    "cache_control container context_management inference_geo max_tokens mcp_servers messages metadata model "
    "output_config service_tier stop_sequences stream system temperature thinking tool_choice tools top_k top_p".split()
)
_IDENTIFIER: Final = re.compile(r"[a-zA-Z0-9_-]+")
_TOOL_NAME: Final = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_ONE_SAMPLING_SINCE: Final = (4, 1)
_ADAPTIVE_SINCE: Final = (4, 6)
_NO_BUDGET_SINCE: Final = (4, 7)
_NO_SAMPLING_SINCE: Final = (4, 7)
_WINDOW_ENDS_ANSWER_SINCE: Final = (4, 5)
_SMALLEST_BUDGET: Final = 1024
_THINKING_TOP_P: Final = 0.95
_DOCUMENTATION: Final = (
    "Please consult our documentation at https://docs.claude.com/en/docs/build-with-claude/extended-thinking"
)


def refused(message: str) -> ApiError:
    """A request that cannot be answered as it is."""
    return ApiError(400, message, type="invalid_request_error")


def check_body(body: Mapping[str, Any]) -> None:
    """Look through what does not depend on the model.

    Raises:
        ApiError: the first thing that is wrong with it.
    """
    for name, kind in (("model", str), ("messages", list), ("max_tokens", int)):
        if name not in body:
            raise refused(f"{name}: Field required")
        if not isinstance(body[name], kind) or isinstance(body[name], bool):
            valid = {str: "a valid string", list: "a valid list", int: "a valid integer"}[kind]
            raise refused(f"{name}: Input should be {valid}")
    for name in sorted(body.keys() - _FIELDS):
        raise refused(f"{name}: Extra inputs are not permitted")
    if body["max_tokens"] < 1:
        raise refused("max_tokens: must be greater than or equal to 1")
    temperature = body.get("temperature")
    if temperature is not None and not 0 <= temperature <= 1:
        raise refused("temperature: range: 0..1")
    _check_messages(body["messages"])
    _check_tools(body)
    _check_format((body.get("output_config") or {}).get("format"))


def check_model(body: Mapping[str, Any], model: LanguageModel, tokens: int, context: int) -> None:
    """Look through what the model decides: limits, and parameters that its generation no longer takes.

    Raises:
        ApiError: the first thing that is wrong with it.
    """
    version, most, wanted = version_of(model), longest_answer(model), body["max_tokens"]
    if wanted > most:
        told = "which is the maximum allowed number of output tokens for"
        raise refused(f"max_tokens: {wanted} > {most}, {told} {model.name}")
    given = [name for name in ("temperature", "top_p", "top_k") if body.get(name) is not None]
    if version >= _NO_SAMPLING_SINCE and given:
        raise refused(f"`{given[0]}` is deprecated for this model.")
    if version >= _ONE_SAMPLING_SINCE and {"temperature", "top_p"} <= set(given):
        raise refused("`temperature` and `top_p` cannot both be specified for this model. Please use only one.")
    _check_thinking(body, version)
    if tokens > context:
        raise refused(f"prompt is too long: {tokens} tokens > {context} maximum")
    if version < _WINDOW_ENDS_ANSWER_SINCE and tokens + wanted > context:
        raise refused(
            f"input length and `max_tokens` exceed context limit: {tokens} + {wanted} > {context}, "
            "decrease input length or `max_tokens` and try again"
        )


def _check_thinking(body: Mapping[str, Any], version: tuple[int, int]) -> None:
    thinking = body.get("thinking") or {}
    kind = thinking.get("type", "disabled")
    if kind == "disabled":
        return
    if kind == "adaptive" and version < _ADAPTIVE_SINCE:
        raise refused("adaptive thinking is not supported on this model")
    if kind == "enabled" and version >= _NO_BUDGET_SINCE:
        raise refused(
            '"thinking.type.enabled" is not supported for this model. Use "thinking.type.adaptive" and '
            '"output_config.effort" to control thinking behavior.'
        )
    if kind == "enabled":
        budget = thinking.get("budget_tokens")
        if budget is None:
            raise refused("thinking.enabled.budget_tokens: Field required")
        if budget < _SMALLEST_BUDGET:
            told = f"Input should be greater than or equal to {_SMALLEST_BUDGET}"
            raise refused(f"thinking.enabled.budget_tokens: {told}")
        if body["max_tokens"] <= budget:
            where = "#max-tokens-and-context-window-size"
            raise refused(f"`max_tokens` must be greater than `thinking.budget_tokens`. {_DOCUMENTATION}{where}")
    if body.get("temperature") not in (None, 1):
        raise refused(f"`temperature` may only be set to 1 when thinking is enabled. {_DOCUMENTATION}")
    if body.get("top_k") is not None:
        raise refused(f"`top_k` must be unset when thinking is enabled. {_DOCUMENTATION}")
    if (body.get("top_p") or 1) < _THINKING_TOP_P:
        told = f"greater than or equal to {_THINKING_TOP_P} or unset when thinking is enabled"
        raise refused(f"`top_p` must be {told}. {_DOCUMENTATION}")
    if (body.get("tool_choice") or {}).get("type") in ("any", "tool"):
        raise refused("Thinking may not be enabled when tool_choice forces tool use.")
    _check_thoughts(body["messages"])


def _check_thoughts(messages: Sequence[Mapping[str, Any]]) -> None:
    """While tools are being used, the turn that called them has to come back with its thoughts."""
    if not any(of_type(blocks_of(messages[-1]), "tool_result")):
        return
    place = max((place for place, message in enumerate(messages) if message["role"] == "assistant"), default=-1)
    first = blocks_of(messages[place])[0].get("type") if place >= 0 else "thinking"
    if first not in ("thinking", "redacted_thinking"):
        raise refused(
            f"messages.{place}.content.0.type: Expected `thinking` or `redacted_thinking`, but found `{first}`. When "
            "`thinking` is enabled, a final `assistant` message must start with a thinking block (preceeding the "
            f"lastmost set of `tool_use` and `tool_result` blocks). {_DOCUMENTATION}"
        )


def _check_messages(messages: Sequence[Any]) -> None:
    if not messages:
        raise refused("messages: at least one message is required")
    for place, message in enumerate(messages):
        role = message.get("role") if isinstance(message, Mapping) else None
        if role == "system":
            raise refused(
                'messages: Unexpected role "system". The Messages API accepts a top-level `system` parameter, '
                'not "system" as an input message role.'
            )
        if role not in ("user", "assistant"):
            raise refused(f"messages.{place}.role: Input should be 'user' or 'assistant'")
        blocks = blocks_of(message)
        if not blocks or message["content"] == "":
            if place == len(messages) - 1 and role == "assistant":
                continue
            told = "all messages must have non-empty content except for the optional final assistant message"
            raise refused(f"messages.{place}: {told}")
        if any(not block.get("text") for block in of_type(blocks, "text")):
            raise refused("messages: text content blocks must be non-empty")
    if messages[0]["role"] != "user":
        raise refused('messages: first message must use the "user" role')
    last = blocks_of(messages[-1])
    if messages[-1]["role"] == "assistant" and last and str(last[-1].get("text", "")).endswith((" ", "\n", "\t")):
        raise refused("messages: final assistant content cannot end with trailing whitespace")
    _check_results(messages)


def _check_results(messages: Sequence[Mapping[str, Any]]) -> None:
    """Every call needs a result in the next message, and every result a call in the one before."""
    called: list[str] = []
    for place, message in enumerate([*messages, {"role": "user", "content": []}]):
        blocks = blocks_of(message)
        answered = [str(block.get("tool_use_id")) for block in of_type(blocks, "tool_result")]
        for number, block in enumerate(blocks):
            if block.get("type") == "tool_result" and block.get("tool_use_id") not in called:
                raise refused(
                    f"messages.{place}.content.{number}: unexpected `tool_use_id` found in `tool_result` blocks: "
                    f"{block.get('tool_use_id')}. Each `tool_result` block must have a corresponding `tool_use` block "
                    "in the previous message."
                )
            if block.get("type") == "tool_use" and not _IDENTIFIER.fullmatch(str(block.get("id"))):
                told = "String should match pattern '^[a-zA-Z0-9_-]+$'"
                raise refused(f"messages.{place}.content.{number}.tool_use.id: {told}")
        if missing := [identifier for identifier in called if identifier not in answered]:
            raise refused(
                f"messages.{place - 1}: `tool_use` ids were found without `tool_result` blocks immediately after: "
                f"{', '.join(missing)}. Each `tool_use` block must have a corresponding `tool_result` block in the "
                "next message."
            )
        called = [str(block.get("id")) for block in of_type(blocks, "tool_use")]


def _check_tools(body: Mapping[str, Any]) -> None:
    tools, choice = body.get("tools") or [], body.get("tool_choice")
    for place, tool in enumerate(tools):
        if not _TOOL_NAME.fullmatch(str(tool.get("name", ""))):
            raise refused(f"tools.{place}.custom.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'")
        schema = tool.get("input_schema")
        if not isinstance(schema, Mapping):
            raise refused(f"tools.{place}.custom.input_schema: Field required")
        if schema.get("type") != "object":
            told = "Input should be 'object'" if "type" in schema else "Field required"
            raise refused(f"tools.{place}.custom.input_schema.type: {told}")
    if choice is None:
        return
    if not tools:
        raise refused("tool_choice may only be specified while providing tools")
    if choice.get("type") not in ("auto", "any", "tool", "none"):
        raise refused("tool_choice.type: Input should be 'auto', 'any', 'tool' or 'none'")
    if choice["type"] == "tool" and choice.get("name") not in [tool["name"] for tool in tools]:
        raise refused(f"Tool '{choice.get('name')}' not found in provided tools")


def _check_format(wanted: Any) -> None:
    if wanted is None:
        return
    if wanted.get("type") != "json_schema":
        raise refused("output_config.format.type: Input should be 'json_schema'")
    if not isinstance(wanted.get("schema"), Mapping):
        raise refused("output_config.format.schema: Field required")
    for problem in _open_objects(wanted["schema"]):
        raise refused(f"output_config.format.schema: {problem}")


def _open_objects(schema: Any) -> Iterator[str]:
    """Objects that leave room for properties which are not named."""
    if not isinstance(schema, Mapping):
        return
    room = schema.get("additionalProperties")
    if schema.get("type") == "object" and room is None:
        yield "For 'object' type, 'additionalProperties' must be explicitly set to false"
    elif schema.get("type") == "object" and room is not False:
        told = f"'additionalProperties: {str(room).lower()}' is not supported."
        yield f"For 'object' type, {told} Please set 'additionalProperties' to false"
    for keyword in ("properties", "$defs", "definitions"):
        for part in (schema.get(keyword) or {}).values():
            yield from _open_objects(part)
    for part in (schema.get("items"), *(schema.get("anyOf") or ()), *(schema.get("allOf") or ())):
        yield from _open_objects(part)
