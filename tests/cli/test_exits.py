"""Exit codes: one for each end that a script would treat differently."""

from __future__ import annotations

import pytest

from turnout.cli import exits
from turnout.errors import (
    BrokenAnswerError,
    ConfigurationError,
    HistoryError,
    InternalError,
    NoAnswerError,
    NoCandidateError,
    ProviderTimeoutError,
    RequestError,
    TurnoutError,
)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (NoAnswerError([("a/b", "busy", "no slot")]), 1),
        (NoAnswerError([], deadline_passed=True), 4),
        (BrokenAnswerError(InternalError("broke"), partial_text="so"), 1),
        (BrokenAnswerError(ProviderTimeoutError("late", phase="total"), partial_text="so"), 4),
        (BrokenAnswerError(ProviderTimeoutError("late", phase="chunk"), partial_text="so"), 1),
        (NoCandidateError({"a/b": "cannot see"}), 3),
        (RequestError("no question"), 2),
        (ConfigurationError("unknown key"), 2),
        (HistoryError("locked"), 1),
    ],
)
def test_each_end_has_its_code(error: TurnoutError, code: int) -> None:
    assert exits.code_of(error) == code
