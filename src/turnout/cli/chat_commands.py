"""What can be said to a chat instead of in it: lines that begin with a slash."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from turnout.cli.opening import check_candidate, check_named
from turnout.cli.talk import Chat
from turnout.cli.terminal import note
from turnout.cli.transcript import Transcript
from turnout.errors import HistoryError, RequestError
from turnout.files import write_aside


class Leave(Exception):  # noqa: N818 - nothing went wrong
    """The chat is to end."""


def obey(chat: Chat, line: str) -> None:
    """Do what a line that begins with a slash says.

    Raises:
        Leave: the chat is to end.
        TurnoutError: it cannot be done.
    """
    name, _, rest = line.strip().partition(" ")
    found = COMMANDS.get(name)
    if found is None:
        begun = [known for known in COMMANDS if known.startswith(name)] if len(name) > 1 else []
        if len(begun) != 1:
            raise RequestError(f"{name} is no command; /help lists them, and a space in front sends it as a question")
        found = COMMANDS[begun[0]]
    found[0](chat, rest.strip())


def _help(_: Chat, __: str) -> None:
    for name, (_do, told) in COMMANDS.items():
        note(f"{name:11} {told}")
    note('a line that ends in \\ goes on in the next one; """ begins and ends several lines')


def _prefer(preference: str) -> Callable[[Chat, str], None]:
    def do(chat: Chat, _: str) -> None:
        chat.options.preference = preference
        note(f"preference {preference}")

    return do


def _auto(chat: Chat, _: str) -> None:
    chat.options.preference, chat.options.candidate, chat.options.voice = None, "", ""
    note("whoever suits best answers")


def _candidate(chat: Chat, name: str) -> None:
    check_candidate(chat.client.status(), name)
    chat.options.candidate = name
    note(f"only {name} answers" if name else "any candidate may answer")


def _voice(chat: Chat, name: str) -> None:
    check_named("voice", name, chat.client.configuration.voices)
    chat.options.voice = name
    note(f"{name} speaks" if name else "no voice in particular speaks")


def _explain(chat: Chat, _: str) -> None:
    completion = chat.completion
    if completion is None:
        raise RequestError("there is no answer yet to explain")
    if completion.decision is None:
        note(completion.reason)
        return
    note(f"{completion.decision.explain().text()}\n{completion.candidate} answered: {completion.reason}")


def _rate(kind: str) -> Callable[[Chat, str], None]:
    def do(chat: Chat, comment: str) -> None:
        chat.client.feedback(_latest(chat), kind, None, comment)
        note("thank you, kept")

    return do


def _retry(chat: Chat, _: str) -> None:
    before = list(chat.transcript.turns)
    turns = chat.transcript.turns
    while turns and turns[-1].role != "user":
        turns.pop()
    if not turns:
        raise RequestError("there is no question yet")
    if before[-1].decision:
        try:
            chat.client.feedback(before[-1].decision, "regenerate")
        except HistoryError as error:  # no reason to answer less
            note(str(error))
    try:
        chat.say(turns.pop().content, afresh=True)
    finally:
        if len(turns) < len(before):  # nothing came in the place of the answer before
            turns[:] = before


def _clear(chat: Chat, _: str) -> None:
    chat.transcript, chat.completion = Transcript(), None
    note(f"chat {chat.transcript.id} begins")


def _save(chat: Chat, name: str) -> None:
    if not name:
        raise RequestError("/save takes the name of a file")
    path = Path(name).expanduser()
    try:
        write_aside(path, chat.transcript.text().encode(errors="replace"))
    except OSError as error:
        raise RequestError(f"{path} cannot be written: {error.strerror}") from error
    note(f"written to {path}")


def _quit(_: Chat, __: str) -> None:
    raise Leave


def _latest(chat: Chat) -> str:
    decision = chat.transcript.decision
    if not decision:
        raise RequestError("there is no answer yet")
    return decision


COMMANDS: Final[Mapping[str, tuple[Callable[[Chat, str], None], str]]] = {
    "/help": (_help, "lists the commands"),
    "/fast": (_prefer("fast"), "rather fast than good from now on"),
    "/quality": (_prefer("quality"), "rather good than fast from now on"),
    "/auto": (_auto, "whoever suits best answers again"),
    "/candidate": (_candidate, "NAME: only that one answers; without a name any may"),
    "/voice": (_voice, "NAME: that persona speaks; without a name none in particular"),
    "/explain": (_explain, "how the last answer came about"),
    "/good": (_rate("good"), "the last answer was good; a comment may follow"),
    "/bad": (_rate("bad"), "the last answer was bad; a comment may follow"),
    "/retry": (_retry, "another answer to the last question"),
    "/clear": (_clear, "begins a new chat; the old one stays kept"),
    "/save": (_save, "FILE: writes the chat as Markdown"),
    "/quit": (_quit, "ends the chat, as Ctrl-D does"),
}
