"""`turnout feedback`: for the last answer or a named one, with a value only where one belongs."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from turnout.emulators.server import Emulator

Turnout = Callable[..., Any]


def test_it_goes_to_the_last_answer(turnout: Turnout, emulator: Emulator) -> None:
    decision = json.loads(turnout("ask", "--json", "sort the imports").out)["decision"]
    ran = turnout("feedback", "good", "--comment", "to the point")
    assert (ran.code, ran.out) == (0, f"kept: good for {decision}\n")


def test_a_decision_can_be_named(turnout: Turnout, emulator: Emulator) -> None:
    decision = json.loads(turnout("ask", "--json", "sort the imports").out)["decision"]
    turnout("ask", "sort the exports")
    ran = turnout("feedback", "score", "0.25", "--decision", decision, "--json")
    assert ran.code == 0
    assert json.loads(ran.out) == {"decision": decision, "kind": "score", "value": 0.25, "comment": ""}


def test_without_an_answer_there_is_nothing_to_judge(turnout: Turnout, emulator: Emulator) -> None:
    ran = turnout("feedback", "bad")
    assert (ran.code, ran.out) == (2, "")
    assert "--decision ID" in ran.err


@pytest.mark.parametrize(
    "arguments", [("score",), ("score", "1.5"), ("score", "nan"), ("good", "1"), ("fine",), ("score", "much")]
)
def test_wrong_usage_is_two(turnout: Turnout, emulator: Emulator, arguments: tuple[str, ...]) -> None:
    assert turnout("feedback", *arguments, "--decision", "1").code == 2
