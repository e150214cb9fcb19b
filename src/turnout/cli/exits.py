"""Exit codes of the commands that ask providers, and what a failed one tells a program."""

from __future__ import annotations

import argparse
import json
from typing import Any, Final

from turnout.errors import (
    ArtifactError,
    BrokenAnswerError,
    ConfigurationError,
    MissingExtraError,
    NoAnswerError,
    NoCandidateError,
    ProviderTimeoutError,
    RequestError,
    TurnoutError,
)

ANSWERED: Final = 0
NO_ANSWER: Final = 1
WRONG_USAGE: Final = 2
NOBODY_CAN: Final = 3
TOO_LATE: Final = 4
STOPPED: Final = 130

TOLD: Final = (
    "exit codes: 0 answered, 1 no answer or all attempts failed, 2 wrong usage or configuration, "
    "3 no candidate can serve it, 4 the deadline passed, 130 stopped"
)


def failed(options: argparse.Namespace, error: TurnoutError) -> int:
    """The exit code of an error; with --json the error is printed as an object too."""
    code = code_of(error)
    if options.json:
        print(json.dumps({"error": _plain(error)}))
    return code


def code_of(error: TurnoutError) -> int:
    """What a command leaves with."""
    match error:
        case NoCandidateError():
            return NOBODY_CAN
        case RequestError() | ConfigurationError() | ArtifactError() | MissingExtraError():
            return WRONG_USAGE
        case NoAnswerError(deadline_passed=True):
            return TOO_LATE
        case BrokenAnswerError(cause=ProviderTimeoutError(phase="total")):
            return TOO_LATE
    return NO_ANSWER


def _plain(error: TurnoutError) -> dict[str, Any]:
    """An error as plain values: a code that stays, a message, and what else it knows."""
    plain: dict[str, Any] = {"code": _CODES.get(code_of(error), "failed"), "message": str(error)}
    if isinstance(error, NoCandidateError):
        plain["excluded"] = error.excluded
    if isinstance(error, NoAnswerError):
        plain["decision"] = error.decision
        plain["failures"] = [
            {"candidate": candidate, "code": code, "message": message} for candidate, code, message in error.failures
        ]
    if isinstance(error, BrokenAnswerError):
        plain["decision"] = error.decision
        plain["partial_answer"] = error.partial_text
    return plain


_CODES: Final = {
    NO_ANSWER: "no_answer",
    WRONG_USAGE: "wrong_usage",
    NOBODY_CAN: "no_candidate",
    TOO_LATE: "deadline_passed",
}
