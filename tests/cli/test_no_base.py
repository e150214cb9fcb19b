"""`turnout train` and `evaluate` start from the base predictor unless told not to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

import pytest

from turnout.cli import jobs

RESULT = {
    **{
        "prompts": 100,
        "figures": defaultdict(lambda: [0.5, 0.4, 0.6]),
        "alarm": None,
        "predictions": None,
        "version": "1",
        "promoted": False,
    },
    **{"why": "not asked for", "champion": "models/champion", "tracking_uri": "sqlite:///x", "seconds": 1.0},
}


@pytest.mark.parametrize("command", ["train", "evaluate"])
@pytest.mark.parametrize(("options", "expected"), [((), True), (("--no-base",), False)])
def test_no_base_starts_from_nothing(
    turnout: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    options: tuple[str, ...],
    expected: bool,
) -> None:
    asked: list[tuple[str, dict[str, Any]]] = []

    def find(name: str) -> Callable[..., Any]:
        return lambda **given: asked.append((name, given)) or RESULT  # type: ignore[func-returns-value]

    monkeypatch.setattr(jobs, "find_job", find)
    assert turnout(command, "--outcomes", "t.csv", *options).code == 0
    ((name, given),) = asked
    assert name == command and given["use_base"] is expected


@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_the_option_explains_itself(turnout: Callable[..., Any], command: str) -> None:
    assert "--no-base" in turnout(command, "--help").out
