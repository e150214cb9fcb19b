"""Error bodies, in every shape that providers send them, into one tree of errors.

An error may be an object, a string, a string that holds JSON, plain text or a web page, and may come with status 200.
Texts change between versions, so status, type and code decide first and wording last.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any, Final, NamedTuple

from turnout.errors import (
    AuthenticationError,
    BadRequestError,
    BusyError,
    ContextOverflowError,
    InternalError,
    LoadFailedError,
    NotFoundError,
    NotLoadedError,
    ProviderError,
    ProviderTimeoutError,
)

MAX_MESSAGE_CHARS = 500
CUT = " ..."
MAX_RETRY_AFTER_S = 3600.0

_OVERFLOW: Final = re.compile(
    r"exceed_context_size|exceeds? the available context|context[ _]length[ _]exceeded|context size has been exceeded"
    r"|maximum context length|exceeds the context (?:length|window|limit)|longer than the (?:context|maximum)"
    r"|does not fit in (?:the )?context|trying to keep the first|n_keep|prompt is too long|input is too (?:long|large)"
    r"|too large to process|context length is only|exceed.{0,20}context (?:limit|window|length)|prompt too long",
    re.IGNORECASE,
)
_LOAD_FAILED: Final = re.compile(
    r"failed to load|error loading|unable to load|llama-server process"
    r"|more system memory|insufficient (?:memory|resources)|out of memory|timed out waiting for .{0,30} to start",
    re.IGNORECASE,
)
_NOT_LOADED: Final = re.compile(
    r"no models? (?:is |are )?loaded|model unloaded|loading model|not loaded", re.IGNORECASE
)
_NO_MODEL: Final = re.compile(
    r"model .{0,200}not found|no such model|model .{0,200}does not exist|unknown model", re.IGNORECASE
)
_NO_ENDPOINT: Final = re.compile(r"unexpected endpoint|page not found", re.IGNORECASE)
_CANNOT: Final = re.compile(
    r"not supported|does(?: not|n't) support|failed to parse (?:messages|tool)|requires? --jinja"
    r"|must be of type|not[ _]implemented",
    re.IGNORECASE,
)
_BUSY: Final = re.compile(r"server busy|overloaded|rate.?limit|too many requests|maximum pending", re.IGNORECASE)
_TAGS: Final = re.compile(r"<[^<>]{0,500}>|\s+")
_READ_CHARS: Final = 20_000  # no wording that tells anything stands further in

_BY_TYPE: Final[Mapping[str, type[ProviderError]]] = {
    "exceed_context_size_error": ContextOverflowError,
    "context_length_exceeded": ContextOverflowError,
    "model_not_found": NotFoundError,
    "not_found_error": NotFoundError,
    "not_implemented": BadRequestError,
    "not_supported_error": BadRequestError,
    "invalid_api_key": AuthenticationError,
    "authentication_error": AuthenticationError,
    "permission_error": AuthenticationError,
    "billing_error": AuthenticationError,
    "insufficient_quota": AuthenticationError,
    "rate_limit_error": BusyError,
    "rate_limit_exceeded": BusyError,
    "overloaded_error": BusyError,
    "unavailable_error": BusyError,
    "internal_error": InternalError,
    "api_error": InternalError,
    "server_error": InternalError,
}
_BY_STATUS: Final[Mapping[int, type[ProviderError]]] = {
    401: AuthenticationError,
    402: AuthenticationError,
    403: AuthenticationError,
    404: NotFoundError,
    429: BusyError,
    503: BusyError,
    529: BusyError,
}


class Told(NamedTuple):
    """What an error body says: its text, and its type or code where it has one."""

    message: str
    kinds: tuple[str, ...] = ()


def told_error(document: object) -> Told | None:
    """What a parsed body says about an error; None if it is not an error."""
    if not isinstance(document, dict):
        return None
    error = document.get("error")
    if isinstance(error, dict):
        kinds = tuple(str(error[key]) for key in ("type", "code") if error.get(key) is not None)
        message = error.get("message") or error.get("error") or document.get("message")
        return Told(str(message or "an error without a text"), kinds)
    if isinstance(error, str) and error:
        inner = _parsed(error) if error.lstrip().startswith("{") else None
        return (told_error(inner) if inner is not None else None) or Told(error)
    if error:
        return Told(json.dumps(error)[:MAX_MESSAGE_CHARS])
    if isinstance(document.get("detail"), str):
        return Told(document["detail"])
    if document.get("object") == "error" and isinstance(document.get("message"), str):
        return Told(document["message"])
    return None


def failure(
    status: int,
    content: bytes | Told,
    *,
    headers: Mapping[str, str] | None = None,
    provider: str = "",
    model: str = "",
    partial_text: str = "",
) -> ProviderError:
    """The error that a status and a body stand for.

    Args:
        status: of the HTTP answer; 200 for an error that came inside an answer.
        content: the body's bytes, or what was already read out of a frame.
        headers: for retry-after.
    """
    told = content if isinstance(content, Told) else _told_bytes(content)
    kind = _kind(status, told)
    message = told.message if len(told.message) <= MAX_MESSAGE_CHARS else f"{told.message[:MAX_MESSAGE_CHARS]}{CUT}"
    if status >= 300:
        message = f"{message} (HTTP {status})"
    if kind is ProviderTimeoutError:
        return ProviderTimeoutError(
            message, phase="provider", provider=provider, model=model, partial_text=partial_text
        )
    return kind(
        message,
        provider=provider,
        model=model,
        status=status,
        retry_after_s=retry_after_s(headers or {}),
        partial_text=partial_text,
    )


def _kind(status: int, told: Told) -> type[ProviderError]:
    text = " ".join((told.message[:_READ_CHARS], *told.kinds))
    # Wording that no other failure uses comes first: overflow arrives as 400, 413, 500 and inside a stream of 200.
    if _OVERFLOW.search(text):
        return ContextOverflowError
    for kind in told.kinds:
        if kind in ("exceed_context_size_error", "context_length_exceeded"):
            return ContextOverflowError
    if _LOAD_FAILED.search(text):
        return LoadFailedError
    if _NOT_LOADED.search(text):
        return NotLoadedError
    # llama.cpp answers 500 and 501 to pictures, tools and embeddings that it was not started for.
    if status != 200 and _CANNOT.search(text):
        return BadRequestError
    named = next((_BY_TYPE[kind] for kind in told.kinds if kind in _BY_TYPE), None)
    # "internal" is what servers put where they have no better word: a status that is one goes first.
    if named is not None and (named is not InternalError or status not in _BY_STATUS):
        return named
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if status in (408, 504):
        return ProviderTimeoutError
    if _NO_MODEL.search(text) or _NO_ENDPOINT.search(text):
        return NotFoundError
    if 300 <= status < 500:
        return BadRequestError
    if _BUSY.search(text):
        return BusyError
    if status == 200 and "invalid_request" in " ".join(told.kinds):
        return BadRequestError
    return InternalError


def _told_bytes(content: bytes) -> Told:
    text = content.decode("utf-8", "replace").strip()
    told = told_error(_parsed(text))
    if told is not None:
        return told
    plain = _TAGS.sub(" ", text[:_READ_CHARS]).strip()
    return Told(" ".join(plain.split()) or "an empty answer")


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait as `retry-after-ms` or `retry-after` say (a number or an HTTP date, RFC 9110 10.2.3)."""
    for name, scale in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        value = headers.get(name)
        if value is None:
            continue
        try:
            seconds = float(value) * scale
        except ValueError:
            try:
                seconds = parsedate_to_datetime(value).timestamp() - time.time()
            except (ValueError, TypeError, OverflowError):
                continue
        if seconds == seconds:
            return min(max(seconds, 0.0), MAX_RETRY_AFTER_S)
    return None
