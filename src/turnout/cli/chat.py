"""`turnout chat`: a conversation at the terminal, with whoever suits each turn best."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

from turnout.cli import exits
from turnout.cli.arguments import configuration_options, wish_options
from turnout.cli.chat_commands import COMMANDS, Leave, obey
from turnout.cli.lines import Lines
from turnout.cli.opening import check_candidate, check_named, opened
from turnout.cli.talk import Chat
from turnout.cli.terminal import note
from turnout.cli.transcript import Transcript
from turnout.config.paths import state_folder
from turnout.errors import NoAnswerError, NoCandidateError, TurnoutError


def add_command(commands: Any, shared: argparse.ArgumentParser) -> None:
    """Register `chat`."""
    parser = commands.add_parser(
        "chat",
        parents=[shared, configuration_options(), wish_options()],
        help="talk with whoever suits each turn best",
        epilog=f"In the chat: {', '.join(COMMANDS)}; /help explains them. Exit codes: 0 ended, 2 wrong usage or "
        "configuration.",
    )
    parser.add_argument(
        "--resume", nargs="?", const="", metavar="ID", help="go on with the last chat, or with that one"
    )
    parser.set_defaults(run=run, failed=exits.failed)


def run(options: argparse.Namespace) -> int:
    """Read, answer, until the end of the input."""
    transcript = Transcript() if options.resume is None else Transcript.load(options.resume)
    with opened(options, live=True) as client:
        check_candidate(client.status(), options.candidate)
        check_named("voice", options.voice, client.configuration.voices)
        chat = Chat(client, options, transcript)
        lines = Lines(state_folder() / "chat_lines", partial(_words, chat))
        note(f"chat {transcript.id}; /help lists the commands, Ctrl-D ends")
        if told := chat.starting():
            note(told)
        try:
            _loop(chat, lines.read)
        finally:
            lines.save()
    return exits.ANSWERED


def _loop(chat: Chat, read: Callable[[], str | None]) -> None:
    """Ctrl-C stops what goes on, not the chat."""
    while True:
        try:
            line = read()
            if line is None:
                break
            if not line.strip():
                continue
            if line.startswith("/"):
                obey(chat, line)
            else:
                chat.say(line)
        except Leave:
            return
        except KeyboardInterrupt:
            note("\nstopped; Ctrl-D ends the chat")
        except TurnoutError as error:
            note(str(error))
            if isinstance(error, NoAnswerError | NoCandidateError) and (told := chat.starting()):
                note(told)
    if sys.stdin.isatty():
        print(file=sys.stderr)


def _words(chat: Chat, begun: str) -> list[str]:
    """What the tab key offers."""
    names = (*COMMANDS, *chat.client.status().candidates, *chat.client.configuration.voices)
    return [name for name in names if name.startswith(begun)] if begun else []
