"""`turnout ask`: the answer alone on standard output, everything else beside it, and an exit code for each end."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.cli.emulated import LARGE, SMALL, Terminal, configure, emulating, switch_on

from turnout.emulators.answers import solution
from turnout.emulators.server import Emulator

Turnout = Callable[..., Any]
Process = Callable[..., subprocess.CompletedProcess[bytes]]

QUESTION = "why does our lock deadlock under failover?"
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c4944415408d763f8cfc000000301010018dd8db0"
    "0000000049454e44ae426082"
)


def parsed(out: str) -> dict[str, Any]:
    (line,) = out.splitlines()
    result: dict[str, Any] = json.loads(line)
    return result


# For a person


def test_the_answer_is_alone_on_standard_output(turnout: Turnout, emulator: Emulator) -> None:
    ran = turnout("ask", "--candidate", SMALL, QUESTION)
    assert ran.code == 0
    assert "the answer is" in ran.out and ran.out.endswith("\n")
    assert SMALL not in ran.out and "\x1b" not in ran.out + ran.err


def test_it_says_first_who_answers_and_why_and_last_what_it_took(turnout: Turnout, emulator: Emulator) -> None:
    first, last = turnout("ask", "--candidate", SMALL, QUESTION).err.splitlines()
    assert first == f"{SMALL}: asked for by name"
    assert " s, " in last and " tokens, " in last and last.endswith("% sure")


def test_words_need_no_quotes(turnout: Turnout, emulator: Emulator) -> None:
    assert turnout("ask", "sort", "the", "imports").code == 0


def test_attempts_are_told_when_there_was_more_than_one(turnout: Turnout, emulator: Emulator) -> None:
    switch_on(emulator, "error_500", 1)
    ran = turnout("ask", QUESTION)
    assert ran.code == 0
    assert "2 attempts" in ran.err.splitlines()[-1]


def test_an_ensemble_says_what_it_is_and_who_took_part(turnout: Turnout, emulator: Emulator) -> None:
    ran = turnout("ask", "--ensemble", "council", QUESTION)
    first, last = ran.err.splitlines()
    assert ran.code == 0 and "the answer is" in ran.out
    assert first == "council: Two answers, the better one."
    assert "3 attempts" in last


def test_explain_shows_the_decision_beside_the_answer(turnout: Turnout, emulator: Emulator) -> None:
    ran = turnout("ask", "--explain", QUESTION)
    assert ran.code == 0
    assert "candidate" in ran.err and "utility" in ran.err and "task:" in ran.err
    assert "utility" not in ran.out


# For a program


def test_json_is_one_object_with_everything(turnout: Turnout, emulator: Emulator) -> None:
    ran = turnout("ask", "--json", "--candidate", SMALL, QUESTION)
    result = parsed(ran.out)
    assert (ran.code, ran.err) == (0, "")
    assert result["candidate"] == SMALL and "the answer is" in result["answer"]
    assert {"confidence", "reason", "decision", "tried", "seconds", "usage", "cached"} <= result.keys()
    assert result["tried"][0] == result["tried"][0] | {"candidate": SMALL, "role": "first", "attempts": 1, "error": ""}
    assert result["usage"]["completion_tokens"] > 0


def test_json_with_explain_holds_the_explanation(turnout: Turnout, emulator: Emulator) -> None:
    result = parsed(turnout("ask", "--json", "--explain", "--fast", QUESTION).out)
    assert result["explanation"]["preference"] == "fast"


def test_a_failure_is_an_object_too(turnout: Turnout, nobody: Path) -> None:
    ran = turnout("ask", "--json", QUESTION)
    assert parsed(ran.out)["error"]["code"] == "no_candidate"
    assert ran.code == 3


# What is read with the question


def test_files_are_context(turnout: Turnout, emulator: Emulator, tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("def f(): ...\n" * 50, encoding="utf-8")
    (tmp_path / "b.py").write_text("def g(): ...\n" * 50, encoding="utf-8")
    alone = parsed(turnout("ask", "--json", "what is this?").out)
    both = parsed(turnout("ask", "--json", "what is this?", "--file", "a.py", "b.py").out)
    assert both["usage"]["prompt_tokens"] > alone["usage"]["prompt_tokens"] + 100


def test_a_file_that_is_the_question_by_mistake_is_explained(turnout: Turnout, emulator: Emulator) -> None:
    Path("a.py").write_text("x = 1\n", encoding="utf-8")
    ran = turnout("ask", "--file", "a.py")
    assert ran.code == 2
    assert "there is no question" in ran.err and "before --file" in ran.err


@pytest.mark.parametrize(
    ("option", "content", "told"),
    [
        ("--file", None, "No such file"),
        ("--file", b"\x00\x01binary", "holds no text"),
        ("--file", b"x" * (1 << 20) + b"x", "more than 1 MiB"),
        ("--image", b"no picture", "no picture"),
        ("--schema", b"{", "is not JSON"),
        ("--schema", b"[1]", "no JSON schema"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_name(
    turnout: Turnout, nobody: Path, option: str, content: bytes | None, told: str
) -> None:
    if content is not None:
        Path("given").write_bytes(content)
    ran = turnout("ask", QUESTION, option, "given")
    assert (ran.code, ran.out) == (2, "")
    assert "given" in ran.err and told in ran.err


def test_a_pipe_is_the_question_or_its_context(process: Process, emulator: Emulator) -> None:
    alone = process("ask", "--json", input=QUESTION.encode())
    assert solution(QUESTION) in alone.stdout.decode() or alone.returncode == 0
    context = process("ask", "--json", QUESTION, input=b"Traceback: deadlock\n" * 100)
    tokens = [json.loads(done.stdout)["usage"]["prompt_tokens"] for done in (alone, context)]
    assert tokens[1] > tokens[0] + 100


def test_a_dash_reads_the_question(process: Process, emulator: Emulator) -> None:
    assert process("ask", "-", input=QUESTION.encode()).returncode == 0


def test_nothing_in_the_pipe_and_no_question_is_wrong_usage(process: Process, emulator: Emulator) -> None:
    done = process("ask", input=b"")
    assert done.returncode == 2 and b"there is no question" in done.stderr


def test_a_picture_goes_to_who_can_see(turnout: Turnout, state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("pixel.png").write_bytes(PIXEL)
    with emulating(models=("llama3.1:8b", "llava:7b")) as (url, _):
        monkeypatch.setenv("TURNOUT_CONFIG", str(configure(state.parent / "hybrid.yaml", ollama=url)))
        result = parsed(turnout("ask", "--json", "what is this?", "--image", "pixel.png").out)
    assert result["candidate"] == "ollama/llava:7b"


def test_a_schema_makes_the_answer_json(turnout: Turnout, emulator: Emulator) -> None:
    schema = {"type": "object", "properties": {"cause": {"type": "string"}}, "required": ["cause"]}
    Path("schema.json").write_text(json.dumps(schema), encoding="utf-8")
    ran = turnout("ask", QUESTION, "--schema", "schema.json")
    assert ran.code == 0
    assert json.loads(ran.out).keys() == {"cause"}


def test_wishes_are_passed_on(turnout: Turnout, emulator: Emulator) -> None:
    wishes = ["--voice", "explorer", "--system", "Be short.", "--temperature", "0.2", "--max-tokens", "7", "--hold"]
    result = parsed(turnout("ask", "--json", QUESTION, "--no-cache", "--conversation", "c1", *wishes).out)
    assert result["usage"]["completion_tokens"] == 7
    assert result["finish"] == "length"


# Ends


def test_no_candidate_is_three_and_says_why(turnout: Turnout, emulator: Emulator) -> None:
    Path("pixel.png").write_bytes(PIXEL)
    ran = turnout("ask", "what is this?", "--image", "pixel.png")
    assert (ran.code, ran.out) == (3, "")
    assert "cannot see pictures" in ran.err


def test_where_nobody_listens_it_says_how_to_start(turnout: Turnout, nobody: Path) -> None:
    ran = turnout("ask", QUESTION)
    assert (ran.code, ran.out) == (3, "")
    assert "http://127.0.0.1:9 (ollama)" in ran.err
    assert "'ollama serve'" in ran.err and "turnout emulate ollama" in ran.err
    assert "Traceback" not in ran.err


def test_all_failed_is_one_and_tells_each(turnout: Turnout, emulator: Emulator) -> None:
    switch_on(emulator, "load_failed")
    ran = turnout("ask", "--candidate", SMALL, QUESTION)
    assert (ran.code, ran.out) == (1, "")
    assert "no answer: every attempt failed" in ran.err and SMALL in ran.err


def test_a_deadline_that_passed_is_four(turnout: Turnout, emulator: Emulator) -> None:
    assert turnout("warm", SMALL).code == 0
    switch_on(emulator, "hang")
    ran = turnout("ask", "--candidate", SMALL, "--deadline", "0.3", "sort the imports of this file")
    assert (ran.code, ran.out) == (4, "")
    assert "the deadline passed" in ran.err


def test_an_answer_that_breaks_off_ends_its_line_and_is_no_success(turnout: Turnout, emulator: Emulator) -> None:
    assert turnout("warm", SMALL).code == 0
    switch_on(emulator, "error_event_mid_stream")
    ran = turnout("ask", "--candidate", SMALL, QUESTION)
    assert ran.code == 1
    assert ran.out.endswith("\n") and "broke off" in ran.err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--candidate", "lama3.1:8b"), f"did you mean {SMALL}"),
        (("--candidate", "zzz"), "there are"),
        (("--voice", "explore"), "did you mean explorer?"),
        (("--ensemble", "counsel"), "did you mean council?"),
        (("--preference", "silly"), "preference 'silly'"),
    ],
)
def test_unknown_names_are_refused_with_the_nearest(
    turnout: Turnout, emulator: Emulator, arguments: tuple[str, ...], told: str
) -> None:
    ran = turnout("ask", QUESTION, *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert told in ran.err


@pytest.mark.parametrize("arguments", [("--fast", "--quality"), ("--temperature", "3"), ("--max-tokens", "0")])
def test_wrong_usage_is_two(turnout: Turnout, nobody: Path, arguments: tuple[str, ...]) -> None:
    assert turnout("ask", QUESTION, *arguments).code == 2


def test_a_configuration_that_is_not_there_is_two(turnout: Turnout, state: Path) -> None:
    ran = turnout("ask", QUESTION, "--config", "missing.yaml")
    assert ran.code == 2 and "missing.yaml" in ran.err


def test_the_last_decision_is_remembered(turnout: Turnout, emulator: Emulator, state: Path) -> None:
    result = parsed(turnout("ask", "--json", QUESTION).out)
    assert json.loads((state / "last_decision").read_bytes())["decision"] == result["decision"]


def test_a_history_that_cannot_be_kept_is_told_with_what_to_do(
    turnout: Turnout, emulator: Emulator, unwritable: Path
) -> None:
    ran = turnout("ask", QUESTION)
    assert (ran.code, ran.out) == (2, "")
    assert str(unwritable) in ran.err and "TURNOUT_STATE" in ran.err and "Traceback" not in ran.err


def test_without_a_history_a_state_folder_that_cannot_be_written_costs_no_answer(
    turnout: Turnout, state: Path, unwritable: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with emulating() as (url, _):
        file = configure(state.parent / "hybrid.yaml", history=False, ollama=url)
        monkeypatch.setenv("TURNOUT_CONFIG", str(file))
        ran = turnout("ask", "--candidate", SMALL, QUESTION)
    assert ran.code == 0 and "the answer is" in ran.out
    assert "TURNOUT_STATE" in ran.err and "Traceback" not in ran.err


@pytest.mark.skipif(os.name != "posix", reason="closes a pipe as POSIX does")
def test_a_reader_that_has_gone_ends_it_quietly(process: Process, emulator: Emulator) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = process(
            "ask", QUESTION, stdout=writer, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, capture_output=False
        )
    finally:
        os.close(writer)
    assert done.returncode == 0
    assert b"Traceback" not in done.stderr and b"Broken pipe" not in done.stderr


# At a terminal


def test_ctrl_c_stops_the_generation_upstream(champion: Path, state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TURNOUT_MODELS", str(champion.parent))
    with emulating(speed=4) as (url, emulator):
        monkeypatch.setenv("TURNOUT_CONFIG", str(configure(state.parent / "hybrid.yaml", ollama=url)))
        with Terminal("ask", "write 3000 words about locks", "--candidate", SMALL) as terminal:
            terminal.until("the answer is")
            terminal.type("\x03")
            assert terminal.end() == 130
        counters = emulator.engine.counters
    assert counters.generations_cancelled == 1 and counters.running == 0
    assert "Traceback" not in terminal.shown


def test_a_terminal_shows_the_lines_around_the_answer_dim(emulator: Emulator) -> None:
    with Terminal("ask", QUESTION, "--candidate", SMALL) as terminal:
        assert terminal.end() == 0
    assert f"\x1b[2m{SMALL}: asked for by name\x1b[0m" in terminal.shown
    assert terminal.text.count("the answer is") == 1
    assert "% sure" in terminal.text.splitlines()[-1]


def test_no_color_is_honoured(emulator: Emulator) -> None:
    with Terminal("ask", QUESTION, NO_COLOR="1") as terminal:
        assert terminal.end() == 0
    assert "\x1b[2m" not in terminal.shown and "\x1b[3" not in terminal.shown


def test_a_candidate_can_be_left_to_the_router(turnout: Turnout, emulator: Emulator) -> None:
    assert parsed(turnout("ask", "--json", QUESTION).out)["candidate"] in (
        SMALL,
        LARGE,
        "ollama/qwen3:4b",
        "ollama/llama3.3:70b",
    )
