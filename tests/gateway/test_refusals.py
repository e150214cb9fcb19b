"""What a client is told when something goes wrong."""

from __future__ import annotations

import pytest

from turnout.errors import (
    AuthenticationError,
    BrokenAnswerError,
    BusyError,
    ContextOverflowError,
    InternalError,
    MissingExtraError,
    NoAnswerError,
    NoCandidateError,
    NotFoundError,
    ProviderTimeoutError,
    RequestError,
    TurnoutError,
    UnreachableError,
)
from turnout.gateway.refusals import FieldError, Refusal, RefusedError, refusal_of

FAILED = (("a/b", "internal", "crashed"),)
BUSY = (("a/b", "busy", "no slot"), ("a/c", "circuit_open", "left alone"))
TOO_LONG = (("a/b", "context_overflow", "too long"),)
MIXED = (("a/b", "context_overflow", "too long"), ("a/c", "bad_request", "no"))


@pytest.mark.parametrize(
    ("error", "status", "code", "is_final"),
    [
        (RefusedError(421, "unknown_host", "no"), 421, "unknown_host", False),
        (FieldError("n", "no"), 400, "invalid_value", False),
        (RequestError("no"), 400, "invalid_request", False),
        (NoCandidateError({"a/b": "down"}), 503, "no_candidate", False),
        (NoAnswerError(FAILED), 502, "no_answer", True),
        (NoAnswerError(()), 502, "no_answer", True),
        (NoAnswerError(BUSY), 503, "busy", False),
        (NoAnswerError(TOO_LONG), 400, "context_length_exceeded", False),
        (NoAnswerError(MIXED), 400, "invalid_request", False),
        (NoAnswerError(FAILED, deadline_passed=True), 504, "deadline_passed", True),
        (BrokenAnswerError(InternalError("no"), partial_text="x"), 502, "broken_answer", True),
        (MissingExtraError("semantic", "this"), 501, "not_installed", True),
        (UnreachableError("no"), 502, "unreachable", False),
        (BusyError("no", retry_after_s=7), 503, "busy", False),
        (ContextOverflowError("no"), 400, "context_overflow", True),
        (NotFoundError("no"), 404, "not_found", True),
        (AuthenticationError("no"), 502, "authentication", True),
        (ProviderTimeoutError("no", phase="total"), 504, "timeout", True),
        (TurnoutError("no"), 500, "internal_error", True),
        (ZeroDivisionError("secret"), 500, "internal_error", True),
    ],
)
def test_an_error_has_its_status_and_its_code(error: Exception, status: int, code: str, is_final: bool) -> None:
    made = refusal_of(error)
    assert (made.status, made.code, made.is_final) == (status, code, is_final)
    assert ("x-should-retry" in made.headers) is is_final


def test_nothing_of_the_inside_is_told() -> None:
    assert "secret" not in refusal_of(ZeroDivisionError("secret")).message


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (403, "permission_error"),
        (404, "invalid_request_error"),
        (429, "rate_limit_error"),
        (502, "api_error"),
    ],
)
def test_a_status_is_of_a_kind(status: int, kind: str) -> None:
    assert Refusal(status, "x", "y").kind == kind


def test_headers_say_when_to_come_back_and_which_decision_it_was() -> None:
    assert refusal_of(BusyError("no", retry_after_s=7.4)).headers == {"Retry-After": "8"}
    assert Refusal(503, "x", "y", retry_after_s=0.01).headers == {"Retry-After": "1"}
    told = refusal_of(NoAnswerError(FAILED, decision="d1")).headers
    assert told == {"x-should-retry": "false", "x-turnout-decision": "d1"}
