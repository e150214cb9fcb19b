"""`turnout chat`: turns that belong together, commands between them, and a transcript that is kept."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.cli.emulated import LARGE, SMALL, Terminal, configure, emulating, switch_on

from turnout.emulators.server import Emulator

Turnout = Callable[..., Any]
Chat = Callable[..., Any]


@pytest.fixture
def chat(turnout: Turnout, monkeypatch: pytest.MonkeyPatch) -> Chat:
    """Run a chat in which these lines are typed."""

    def run(*lines: str, options: tuple[str, ...] = ("--candidate", SMALL)) -> Any:
        monkeypatch.setattr(sys, "stdin", io.StringIO("".join(f"{line}\n" for line in lines)))
        return turnout("chat", *options)

    return run


def kept(state: Path) -> list[dict[str, Any]]:
    """The turns of the only chat that is kept."""
    (path,) = (state / "chats").glob("*.json")
    turns: list[dict[str, Any]] = json.loads(path.read_bytes())["turns"]
    return turns


# Turns


def test_answers_go_to_standard_output_and_what_they_took_beside_it(chat: Chat, emulator: Emulator) -> None:
    ran = chat("sort the imports", "and now the exports")
    assert ran.code == 0
    assert ran.out.count("the answer is") == 2 and SMALL not in ran.out
    assert ran.err.count("% sure") == 2


def test_each_turn_is_asked_with_those_before(chat: Chat, emulator: Emulator) -> None:
    ran = chat("sort the imports of this file", "and now", options=("--candidate", SMALL, "--json"))
    first, second = (json.loads(line)["usage"]["prompt_tokens"] for line in ran.out.splitlines())
    assert second > first + 20


def test_turns_are_kept_with_who_answered_and_the_decision(chat: Chat, emulator: Emulator, state: Path) -> None:
    chat("sort the imports")
    question, answer = kept(state)
    assert (question["role"], question["content"]) == ("user", "sort the imports")
    assert (answer["role"], answer["candidate"]) == ("assistant", SMALL)
    assert answer["decision"] == json.loads((state / "last_decision").read_bytes())["decision"]


def test_a_question_without_an_answer_is_not_kept(chat: Chat, emulator: Emulator, state: Path) -> None:
    switch_on(emulator, "load_failed", 3)  # the first try and two more
    ran = chat("first", "second")
    assert ran.code == 0 and "no answer" in ran.err
    assert [turn["content"] for turn in kept(state) if turn["role"] == "user"] == ["second"]


def test_empty_lines_are_nobody_s_turn(chat: Chat, emulator: Emulator, state: Path) -> None:
    chat("", "  ")
    assert not (state / "chats").exists()


def test_a_chat_goes_on_where_it_ended(chat: Chat, emulator: Emulator, state: Path) -> None:
    chat("sort the imports")
    assert chat("and now", options=("--resume",)).code == 0
    assert [turn["content"] for turn in kept(state) if turn["role"] == "user"] == ["sort the imports", "and now"]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--resume",), "no chat in"),
        (("--resume", "20250101-000000-abcd"), "there is no chat 20250101-000000-abcd"),
        (("--resume", "../secrets"), "names no chat"),
    ],
)
def test_a_chat_that_is_not_there_cannot_be_resumed(
    chat: Chat, emulator: Emulator, options: tuple[str, ...], told: str
) -> None:
    ran = chat(options=options)
    assert ran.code == 1 and told in ran.err


def test_a_damaged_transcript_is_told_and_left_alone(chat: Chat, emulator: Emulator, state: Path) -> None:
    (state / "chats").mkdir(parents=True)
    path = state / "chats" / "x.json"
    path.write_text('{"version": 1, "turns": [{"role": 3}]', encoding="utf-8")
    ran = chat(options=("--resume",))
    assert ran.code == 1 and "does not hold a chat" in ran.err
    assert path.exists()


def test_a_chat_that_cannot_be_kept_is_told_once(
    chat: Chat, state: Path, unwritable: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with emulating() as (url, _):
        file = configure(state.parent / "hybrid.yaml", history=False, ollama=url)
        monkeypatch.setenv("TURNOUT_CONFIG", str(file))
        ran = chat("one", "two")
    assert ran.code == 0 and ran.out.count("the answer is") == 2
    assert ran.err.count("the chat is not kept") == 1


def test_where_nobody_listens_the_chat_says_how_to_start(chat: Chat, nobody: Path) -> None:
    ran = chat("hello", options=())
    assert ran.code == 0
    assert "'ollama serve'" in ran.err


# Lines


def test_a_backslash_goes_on_in_the_next_line(chat: Chat, emulator: Emulator, state: Path) -> None:
    chat("sort\\", "these\\", "lines")
    assert kept(state)[0]["content"] == "sort\nthese\nlines"


def test_triple_quotes_hold_several_lines(chat: Chat, emulator: Emulator, state: Path) -> None:
    chat('"""', "first", "", "third", '"""', '"""one line"""')
    assert [turn["content"] for turn in kept(state) if turn["role"] == "user"] == ["first\n\nthird", "one line"]


# Commands


def test_help_lists_every_command(chat: Chat, emulator: Emulator) -> None:
    told = chat("/help").err
    commands = "/help /fast /quality /auto /candidate /voice /explain /good /bad /retry /clear /save /quit"
    assert all(command in told for command in commands.split())


def test_a_candidate_answers_until_anybody_may_again(chat: Chat, emulator: Emulator, state: Path) -> None:
    chat(f"/candidate {LARGE}", "one", f"/candidate {SMALL}", "two", "/auto", "three")
    answers = [turn["candidate"] for turn in kept(state) if turn["role"] == "assistant"]
    assert answers[:2] == [LARGE, SMALL] and len(answers) == 3


def test_unknown_names_and_commands_are_told_and_the_chat_goes_on(chat: Chat, emulator: Emulator) -> None:
    ran = chat("/candidate lama3.1:8b", "/voice nobody", "/nonsense", "hello")
    assert f"did you mean {SMALL}" in ran.err and "no voice is named 'nobody'" in ran.err
    assert "/nonsense is no command" in ran.err
    assert ran.out.count("the answer is") == 1


def test_a_begun_command_is_understood_where_it_is_the_only_one(chat: Chat, emulator: Emulator) -> None:
    ran = chat("/vo explorer", "/q")
    assert "explorer speaks" in ran.err
    assert chat("/").code == 0


def test_explain_tells_how_the_answer_came_about(chat: Chat, emulator: Emulator) -> None:
    assert "no answer yet" in chat("/explain").err
    told = chat("hello", "/explain").err
    assert "utility" in told and "asked for by name" in told


def test_feedback_goes_to_the_last_answer(chat: Chat, emulator: Emulator) -> None:
    assert "there is no answer yet" in chat("/good").err
    assert chat("hello", "/good to the point", "/bad").err.count("kept") == 2


def test_retry_puts_another_answer_in_the_place_of_the_last(chat: Chat, emulator: Emulator, state: Path) -> None:
    ran = chat("hello", "/retry")
    assert ran.out.count("the answer is") == 2
    assert [turn["role"] for turn in kept(state)] == ["user", "assistant"]


def test_a_retry_that_fails_leaves_the_answer_before(chat: Chat, emulator: Emulator, state: Path) -> None:
    ran = chat("hello", "/candidate ollama/llama3.3:70b", "/retry", "/candidate", "and now")
    assert ran.code == 0
    assert [turn["role"] for turn in kept(state)] == ["user", "assistant", "user", "assistant"]


def test_clear_begins_a_new_chat_and_keeps_the_old(chat: Chat, emulator: Emulator, state: Path) -> None:
    chat("one", "/clear", "two")
    assert len(list((state / "chats").glob("*.json"))) == 2


def test_save_writes_markdown(chat: Chat, emulator: Emulator) -> None:
    chat("hello", "/save notes.md", "/save")
    text = Path("notes.md").read_text(encoding="utf-8")
    assert "## user\n\nhello" in text and f"## {SMALL}" in text


def test_a_file_that_cannot_be_saved_is_told(chat: Chat, emulator: Emulator) -> None:
    assert "cannot be written" in chat("/save hybrid.yaml/notes.md").err


def test_quit_ends_it(chat: Chat, emulator: Emulator) -> None:
    assert chat("/quit", "hello").out == ""


# At a terminal


def test_ctrl_c_stops_the_answer_and_ctrl_d_the_chat(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with emulating(speed=4) as (url, emulator):
        monkeypatch.setenv("TURNOUT_CONFIG", str(configure(state.parent / "hybrid.yaml", ollama=url)))
        with Terminal("chat", "--candidate", SMALL) as terminal:
            terminal.until("> ")
            terminal.type("write 3000 words about locks\n")
            terminal.until("the answer is")
            terminal.type("\x03")
            terminal.until("stopped")
            terminal.until("> ")
            terminal.type("hello\n")
            terminal.until("% sure")
            terminal.until("> ")
            # The line editor misses a signal that comes while it begins to wait.
            terminal.until("stopped", pressing="\x03")
            terminal.until("> ")
            terminal.type("\x04")
            assert terminal.end() == 0
        assert emulator.engine.counters.generations_cancelled == 1
    assert [turn["stopped"] for turn in kept(state)] == [False, True, False, False]
    assert "Traceback" not in terminal.shown


def test_lines_come_back_with_the_arrow_key_in_another_chat(emulator: Emulator, state: Path) -> None:
    with Terminal("chat") as terminal:
        terminal.until("> ")
        terminal.type("/help me\n")
        terminal.until("as Ctrl-D does")
        terminal.until("> ")
        terminal.type("\x04")
        assert terminal.end() == 0
    assert (state / "chat_lines").stat().st_mode & 0o077 == 0
    with Terminal("chat") as terminal:
        terminal.until("> ")
        terminal.type("\x1b[A")
        terminal.until("/help me")
        terminal.type("\x15/he\t\n")
        terminal.until("/help")
        terminal.until("as Ctrl-D does")
        terminal.until("> ")
        terminal.type("/quit\n")
        assert terminal.end() == 0
