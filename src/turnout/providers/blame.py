"""Whom a failed attempt speaks against: the provider, the candidate, or nobody but the request."""

from __future__ import annotations

from typing import Literal, TypeAlias

from turnout.errors import (
    AuthenticationError,
    BadRequestError,
    BusyError,
    CircuitOpenError,
    ContextOverflowError,
    IncompleteError,
    InternalError,
    LoadFailedError,
    NotFoundError,
    NotLoadedError,
    ProviderError,
    ProviderTimeoutError,
    QueueFullError,
    UnreachableError,
)

Blame: TypeAlias = Literal["provider", "candidate", "nobody"]

_GATEWAY_STATUS = (502, 504)  # something before the provider answers in its place


def blame(error: ProviderError, *, was_loaded: bool, own_deadline: bool) -> Blame:
    """Whom to count it against.

    Args:
        error: what ended the attempt.
        was_loaded: whether the language model was in memory; one that is loading is not a failed one.
        own_deadline: whether the caller allowed less time than the configuration does.
    """
    if isinstance(error, ProviderTimeoutError):
        patient = was_loaded and error.phase != "begin" and not (own_deadline and error.phase == "total")
        return "candidate" if patient and error.phase != "load" else "nobody"
    if isinstance(error, UnreachableError | AuthenticationError):
        return "provider"
    if isinstance(error, InternalError) and error.status in _GATEWAY_STATUS:
        return "provider"
    if isinstance(error, QueueFullError | CircuitOpenError):
        return "nobody"
    if isinstance(error, InternalError | IncompleteError | LoadFailedError | BusyError):
        return "candidate"
    if isinstance(error, BadRequestError | ContextOverflowError | NotFoundError | NotLoadedError):
        return "nobody"
    return "candidate"
