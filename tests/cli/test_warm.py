"""`turnout warm`: candidates in memory before they are needed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.cli.emulated import LARGE, SMALL, Terminal, switch_on

from turnout.emulators.server import Emulator

Turnout = Callable[..., Any]


def test_it_loads_one_after_the_other_and_says_how_long(turnout: Turnout, emulator: Emulator) -> None:
    ran = turnout("warm", SMALL, LARGE)
    assert ran.code == 0
    assert [line.partition(":  ")[0].rpartition(":")[0] for line in ran.out.splitlines()] == [SMALL, LARGE]
    assert emulator.engine.counters.loads == 2


def test_who_is_in_memory_needs_no_load(turnout: Turnout, emulator: Emulator) -> None:
    turnout("warm", SMALL)
    assert turnout("warm", SMALL).out == f"{SMALL}: nothing to load\n"


def test_json_tells_the_seconds_of_each(turnout: Turnout, emulator: Emulator) -> None:
    result = json.loads(turnout("warm", SMALL, "--json").out)
    assert result["warmed"].keys() == {SMALL} and result["failed"] == {}


def test_one_that_cannot_be_loaded_does_not_keep_the_others_out(turnout: Turnout, emulator: Emulator) -> None:
    switch_on(emulator, "load_failed", 1)
    ran = turnout("warm", SMALL, LARGE, "--json")
    result = json.loads(ran.out)
    assert ran.code == 1
    assert result["failed"].keys() == {SMALL} and result["warmed"].keys() == {LARGE}
    assert SMALL in ran.err and "Traceback" not in ran.err


def test_an_unknown_candidate_is_refused_with_the_nearest(turnout: Turnout, emulator: Emulator) -> None:
    ran = turnout("warm", "ollama/llama3.1")
    assert ran.code == 2 and f"did you mean {SMALL}" in ran.err


def test_where_nobody_listens_it_says_how_to_start(turnout: Turnout, nobody: Path) -> None:
    ran = turnout("warm", SMALL)
    assert ran.code == 1 and "'ollama serve'" in ran.err


def test_a_terminal_shows_what_is_loading(emulator: Emulator) -> None:
    with Terminal("warm", SMALL) as terminal:
        assert terminal.end() == 0
    assert f"loading {SMALL}" in terminal.text
