"""`turnout advise`: words before a table, an object for programs, and what to do where something is missing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.cli.emulated import LARGE, SMALL

from turnout.emulators.server import Emulator

Turnout = Callable[..., Any]
SHIPPED = Path(__file__).parents[2] / "models" / "base"


@pytest.fixture
def named(state: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration of two language models whose providers do not listen, and no champion."""
    file = state.parent / "named.json"
    content = {
        "providers": {
            "lmstudio": {"base_url": "http://127.0.0.1:9", "models": {"qwen2.5-coder-7b-instruct": {}}},
            "ollama": {"base_url": "http://127.0.0.1:9", "models": {"llama3.3:70b": {}, "mystery": {}}},
        }
    }
    file.write_text(json.dumps(content), encoding="utf-8")
    monkeypatch.setenv("TURNOUT_CONFIG", str(file))
    return file


@pytest.fixture
def fresh(turnout: Turnout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Turnout:
    """The command before anything was learned, with the base predictor that ships."""
    monkeypatch.setenv("TURNOUT_BASE", str(SHIPPED))
    monkeypatch.setenv("TURNOUT_MODELS", str(tmp_path / "models"))
    return turnout


def test_before_anything_was_logged_it_advises_from_names_alone(fresh: Turnout, named: Path) -> None:
    ran = fresh("advise")
    assert (ran.code, ran.err) == (0, "")
    words, _, table = ran.out.partition("candidate  ")
    assert "Keep loaded: lmstudio/qwen2.5-coder-7b-instruct" in words
    assert "lmstudio/qwen2.5-coder-7b-instruct (fast) with ollama/llama3.3:70b (strong)" in words
    assert "at a loss of at most one point" in words
    assert "Nothing is known of ollama/mystery. What would help: its provider" in words
    assert "tokens/s" in table and "59 typical prompts that come with Turnout" in table


def test_json_holds_candidates_couples_and_what_to_keep(fresh: Turnout, named: Path) -> None:
    result = json.loads(fresh("advise", "--json").out)
    assert result["typical"] == "bundled" and result["unknown"] == ["ollama/mystery"]
    (couple,) = result["couples"]
    share, low, high = couple["fast_share"]
    assert couple["strong"] == "ollama/llama3.3:70b" and 0 <= low <= share <= high <= 1
    large = result["candidates"]["ollama/llama3.3:70b"]
    assert large["known_from"] == "name" and 40e9 < large["memory_bytes"][0] < 60e9
    assert result["candidates"]["ollama/mystery"]["quality"] is None


def test_what_providers_list_is_advised_about(fresh: Turnout, emulator: Emulator) -> None:
    result = json.loads(fresh("advise", "--json").out)
    assert {SMALL, LARGE} <= result["candidates"].keys()
    assert result["candidates"][SMALL]["quantisation"] == "Q4_K_M"
    assert result["machine"]["ram_bytes_per_s"] > 0 and result["couples"]


def test_own_prompts_count_instead_of_the_sample(fresh: Turnout, named: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine.jsonl"
    mine.write_text('{"prompt": "sort these imports"}\n{"prompt": "why does this deadlock?"}\n', encoding="utf-8")
    assert json.loads(fresh("advise", "--typical", mine, "--json").out)["prompts"] == 2
    assert "2 typical prompts of yours" in fresh("advise", "--typical", mine).out


def test_a_file_without_prompts_is_told_with_its_line(fresh: Turnout, named: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine.jsonl"
    mine.write_text("sort these imports\n", encoding="utf-8")
    ran = fresh("advise", "--typical", mine)
    assert (ran.code, ran.out) == (1, "") and "line 1: not JSON" in ran.err


def test_a_champion_counts_for_those_it_knows(turnout: Turnout, state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = state.parent / "known.json"
    models = {"qwen2.5-coder-1.5b": {}, "qwen2.5-coder-7b": {}}
    file.write_text(
        json.dumps({"providers": {"lmstudio": {"base_url": "http://127.0.0.1:9", "models": models}}}), encoding="utf-8"
    )
    monkeypatch.setenv("TURNOUT_BASE", "off")
    result = json.loads(turnout("advise", "--config", file, "--json").out)
    assert {entry["known_from"] for entry in result["candidates"].values()} == {"outcomes"}


def test_without_a_base_predictor_it_says_where_one_comes_from(
    fresh: Turnout, named: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TURNOUT_BASE", "off")
    ran = fresh("advise", "--json")
    assert ran.code == 2 and "unset TURNOUT_BASE" in ran.err
    assert json.loads(ran.out)["error"]["code"] == "wrong_usage"


def test_without_a_candidate_it_says_how_to_get_one(fresh: Turnout, nobody: Path) -> None:
    ran = fresh("advise")
    assert (ran.code, ran.out) == (1, "")
    assert "no candidate is known" in ran.err and "ollama pull" in ran.err
