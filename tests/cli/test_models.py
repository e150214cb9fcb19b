"""`turnout models`: every candidate with what is known of it, for a wide and a narrow terminal and for a program."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.cli.emulated import SMALL, Terminal

from turnout.emulators.server import Emulator

Turnout = Callable[..., Any]


def test_a_pipe_gets_one_line_for_each_candidate(turnout: Turnout, emulator: Emulator) -> None:
    ran = turnout("models")
    head, *lines = ran.out.splitlines()
    assert (ran.code, ran.err) == (0, "")
    assert head.split()[:4] == ["candidate", "state", "size", "context"]
    assert len(lines) == 4 and "\x1b" not in ran.out
    (small,) = (line for line in lines if line.startswith(SMALL))
    assert "not loaded" in small and "4.8 GB" in small and "131,072" in small and "tools" in small


def test_speeds_that_were_measured_are_shown(turnout: Turnout, emulator: Emulator) -> None:
    turnout("ask", "--candidate", SMALL, "sort the imports")
    (small,) = (line for line in turnout("models").out.splitlines() if line.startswith(SMALL))
    assert "loaded" in small and "not loaded" not in small
    candidates = json.loads(turnout("models", "--json").out)["candidates"]
    assert candidates[SMALL]["speeds"]["measurements"] == 1


def test_json_holds_candidates_and_providers(turnout: Turnout, emulator: Emulator) -> None:
    result = json.loads(turnout("models", "--json").out)
    assert result["providers"]["ollama"]["available"]
    assert result["candidates"][SMALL]["quantization"] == "Q4_K_M"


def test_without_any_candidate_it_says_how_to_start_and_fails(turnout: Turnout, nobody: Path) -> None:
    ran = turnout("models")
    assert (ran.code, ran.out) == (1, "")
    assert "'ollama serve'" in ran.err


def test_a_narrow_terminal_gets_fewer_columns_and_whole_names(emulator: Emulator) -> None:
    with Terminal("models", columns=44) as terminal:
        assert terminal.end() == 0
    assert SMALL in terminal.text and "context" not in terminal.text
    assert all(len(line) <= 44 for line in terminal.text.splitlines())
