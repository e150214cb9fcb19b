"""Messages and their parts, checked so that nothing of them is lost on the way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from turnout.gateway.refusals import FieldError

_ROLES: Final = ("system", "developer", "user", "assistant", "tool", "function")
_ROLE_HERE: Final = {"function": "tool", "developer": "system"}
"""Chat templates know no developer; where one is known, a system message is taken for the same."""

_KNOWN: Final = frozenset(
    {"role", "content", "name", "tool_calls", "tool_call_id", "refusal", "audio", "function_call"}
)
_OF_ANSWERS: Final = frozenset({"annotations", "reasoning", "reasoning_content", "thinking_blocks"})
"""What answers carry and clients send back: what was thought before is the language model's own."""

_TEXT_PARTS: Final = frozenset({"text", "input_text", "output_text", "refusal"})
_IMAGE_PARTS: Final = frozenset({"image_url", "input_image", "image"})
_ADDRESSES: Final = ("data:image/", "https://", "http://")


def chat_message(at: int, entry: object, warnings: list[str]) -> Mapping[str, Any]:
    """A message of a chat completion, in the form that requests are made of.

    Raises:
        FieldError: something in it cannot be passed on.
    """
    path = f"messages.{at}"
    if not isinstance(entry, dict):
        raise FieldError(path, "expected an object with role and content")
    role = entry.get("role")
    if role not in _ROLES:
        raise FieldError(f"{path}.role", f"expected one of {', '.join(_ROLES)}")
    if entry.get("audio") is not None:
        raise FieldError(f"{path}.audio", "audio is not heard here")
    if entry.get("function_call") is not None:
        raise FieldError(f"{path}.function_call", "give it as tool_calls; the older form is not understood")
    for name, value in entry.items():
        if value and name not in _KNOWN and name not in _OF_ANSWERS:
            warn(warnings, f"{name[:60]} of a message is unknown and left out")
    content = content_parts(entry.get("content"), f"{path}.content", warnings)
    return {**entry, "role": _ROLE_HERE.get(role, role), "content": content or entry.get("refusal")}


def content_parts(content: object, path: str, warnings: list[str]) -> Any:
    """What a message says: a text, or parts that are text and pictures.

    Raises:
        FieldError: something else is among the parts, or one of them is empty of what it should hold.
    """
    if content is None or isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise FieldError(path, "expected text or a list of parts")
    return [_part(part, f"{path}.{at}", warnings) for at, part in enumerate(content)]


def _part(part: object, path: str, warnings: list[str]) -> Mapping[str, Any]:
    if not isinstance(part, dict):
        raise FieldError(path, "expected an object with a type")
    kind = part.get("type", "text")
    if not isinstance(kind, str):
        raise FieldError(f"{path}.type", "expected text")
    if kind in _TEXT_PARTS:
        text = part.get("refusal" if kind == "refusal" else "text")
        if not isinstance(text, str):
            raise FieldError(path, "expected text")
        return {"type": "text", "text": text}
    if kind in _IMAGE_PARTS:
        return _picture(part, path, warnings)
    raise FieldError(path, f"a part of type {kind[:40]!r} cannot be passed on; text and images can")


def _picture(part: Mapping[str, Any], path: str, warnings: list[str]) -> Mapping[str, Any]:
    given = part.get("image_url")
    place: Mapping[str, Any] = given if isinstance(given, dict) else {"url": given}
    address, detail = place.get("url"), place.get("detail", part.get("detail"))
    if not isinstance(address, str) or not address.startswith(_ADDRESSES):  # never a file of the machine that answers
        raise FieldError(path, "a picture is a data URI with an image in base64, or a web address")
    if detail not in (None, "auto"):
        warn(warnings, "detail of a picture is left out")
    return {"type": "image_url", "image_url": {"url": address}}


def warn(warnings: list[str], warning: str) -> None:
    """Say something once, however often it is so."""
    if warning not in warnings:
        warnings.append(warning)
