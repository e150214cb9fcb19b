"""Keys of answers: equal for requests that are equal in everything that matters, different for all others.

A key is the digest of one canonical JSON text, in which every field has its own place, so that no two requests can be
written alike. Its first 16 digits are the scope's own digest: a store clears a scope without knowing whose it is.

What a key cannot know has to be in `target`: who may answer and how, and the configuration behind it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any, Final, Literal, TypeAlias

from turnout.errors import RequestError
from turnout.types import Hints, JsonSchema, Message, Request, Sampling, Tool

Scope: TypeAlias = Literal["conversation", "user", "shared"]
Target: TypeAlias = "str | Sequence[str]"

_VERSION: Final = 1
_PREFIX_BYTES: Final = 8
_DIGEST_BYTES: Final = 24


def scope_of(hints: Hints, setting: Scope) -> str | None:
    """Who may share an answer, as a text that only they have; None where that cannot be told: then nothing is shared.

    For "conversation" it is user and conversation together, and None without a conversation. For "user" it is the user;
    callers that name none are one user, so on a machine with many anonymous callers two of their conversations may get
    each other's answers to equal requests: "conversation" keeps them apart. For "shared" it is empty.
    """
    if setting == "shared":
        return ""
    if setting == "user":
        return json.dumps(["user", hints.user])
    return json.dumps(["conversation", hints.user, hints.conversation]) if hints.conversation else None


def scope_prefix(scope: str) -> str:
    """The 16 hexadecimal digits with which every key of a scope begins."""
    return blake2b(scope.encode("utf-8", "surrogatepass"), digest_size=_PREFIX_BYTES).hexdigest()


def is_repeatable(request: Request, deterministic_only: bool = True) -> bool:
    """Whether the same request may get the same answer again: at temperature 0 or with a seed, or if everything may.

    A temperature that is left to the provider is not 0. What else makes drawing certain, such as a `top_k` of 1, does
    not count: providers that do not know it leave it out with a warning.
    """
    return not deterministic_only or request.sampling.temperature == 0 or request.sampling.seed is not None


def exact_key(request: Request, *, scope: str, target: Target = ()) -> str:
    """The key of a request: 64 hexadecimal digits.

    The order of keys in schemas does not matter; that of messages, tools, files and stop words does.

    Raises:
        RequestError: a schema is no JSON.
    """
    return _key(request, [_message(message) for message in request.messages], scope, target)


def context_key(request: Request, *, scope: str, target: Target = ()) -> str | None:
    """The key of everything but the text of the last message; None where that is not a user's.

    Two requests with one context key differ in nothing but how the last question is put.

    Raises:
        RequestError: a schema is no JSON.
    """
    if not request.messages or request.messages[-1].role != "user":
        return None
    messages = [_message(message) for message in request.messages]
    messages[-1][1] = None
    return _key(request, messages, scope, target)


def _key(request: Request, messages: list[Any], scope: str, target: Target) -> str:
    answer_format = request.answer_format
    told = [
        _VERSION,
        scope,
        target if isinstance(target, str) else list(target),
        messages,
        [_tool(tool) for tool in request.tools],
        request.tool_choice,
        [answer_format.name, answer_format.schema] if isinstance(answer_format, JsonSchema) else answer_format,
        _sampling(request.sampling),
        request.reasoning,
        request.files,
    ]
    try:
        text = _encode(told)
    except (TypeError, ValueError, RecursionError) as error:
        raise RequestError(f"a schema of the request is no JSON ({error})") from None
    return scope_prefix(scope) + blake2b(text.encode("ascii"), digest_size=_DIGEST_BYTES).hexdigest()


def _message(message: Message) -> list[Any]:
    return [
        message.role,
        message.content,
        [image.url for image in message.images],
        [[call.id, call.name, call.arguments] for call in message.tool_calls],
        message.tool_call_id,
        message.name,
    ]


def _tool(tool: Tool) -> list[Any]:
    return [tool.name, tool.description, tool.parameters]


def _sampling(sampling: Sampling) -> list[Any]:
    # Adding 0.0 makes 1 and 1.0, 0.0 and -0.0 the same number.
    numbers = (
        sampling.temperature,
        sampling.top_p,
        sampling.top_k,
        sampling.min_p,
        sampling.presence_penalty,
        sampling.frequency_penalty,
        sampling.repeat_penalty,
    )
    return [
        [None if number is None else number + 0.0 for number in numbers],
        sampling.max_tokens,
        sampling.seed,
        sampling.stop,
        bool(sampling.logprobs),
        sampling.top_logprobs,
    ]


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is no JSON value")


_encode: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"), default=_plain).encode
