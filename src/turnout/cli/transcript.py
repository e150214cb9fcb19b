"""A chat as it is kept: its turns in a file of the state folder, written after every answer, read again by --resume."""

from __future__ import annotations

import json
import re
import secrets
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Self

from turnout.config.paths import state_folder
from turnout.errors import DataError
from turnout.files import write_aside
from turnout.types import Message

VERSION: Final = 1
_ID: Final = re.compile(r"[0-9a-zA-Z][0-9a-zA-Z._-]{0,99}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What one side said. An answer names its candidate and the decision that feedback goes to; `stopped` says that it
    was cut short by whoever asked."""

    role: str
    content: str
    at: float
    candidate: str = ""
    decision: str = ""
    confidence: float | None = None
    seconds: float | None = None
    stopped: bool = False


@dataclass(slots=True, kw_only=True)
class Transcript:
    """The turns of one chat. `created_at` is Unix time."""

    id: str = field(default_factory=lambda: f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}")
    created_at: float = field(default_factory=time.time)
    turns: list[Turn] = field(default_factory=list)

    @classmethod
    def load(cls, identifier: str = "") -> Self:
        """The chat of that id, or the latest one.

        Raises:
            DataError: there is none, or its file cannot be used.
        """
        path = _path(identifier) if identifier else _latest()
        try:
            content = json.loads(path.read_bytes())
            turns = [Turn(**turn) for turn in content["turns"]]
            if content["version"] != VERSION or not all(isinstance(turn.content, str) for turn in turns):
                raise ValueError(f"version {content['version']}, expected {VERSION}")
            return cls(id=path.stem, created_at=float(content["created_at"]), turns=turns)
        except FileNotFoundError:
            raise DataError(f"there is no chat {identifier} in {path.parent}") from None
        except OSError as error:
            raise DataError(f"{path} cannot be read: {error.strerror}") from error
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise DataError(f"{path} does not hold a chat: {error}") from error

    def save(self) -> None:
        """Write it.

        Raises:
            OSError: the folder cannot be written.
        """
        path = _path(self.id)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        content: dict[str, Any] = {"version": VERSION, "id": self.id, "created_at": self.created_at}
        content["turns"] = [asdict(turn) for turn in self.turns]
        write_aside(path, json.dumps(content, indent=1).encode())

    @property
    def messages(self) -> list[Message]:
        """The turns as they go to a language model."""
        return [Message(turn.role, turn.content) for turn in self.turns]

    @property
    def decision(self) -> str:
        """The id of the decision behind the last answer; empty where there is none, or it was stopped."""
        return self.turns[-1].decision if self.turns else ""

    def text(self) -> str:
        """The chat as Markdown."""
        return "\n\n".join([f"# Chat {self.id}", *map(_told, self.turns)]) + "\n"


def chats_folder() -> Path:
    """Where chats are kept."""
    return state_folder() / "chats"


def _path(identifier: str) -> Path:
    if not _ID.fullmatch(identifier):
        raise DataError(f"{identifier!r} names no chat; they are named like {Transcript().id}")
    return chats_folder() / f"{identifier}.json"


def _latest() -> Path:
    """The chat that was written last.

    Raises:
        DataError: there is none.
    """
    paths = sorted(chats_folder().glob("*.json"), key=lambda path: path.stat().st_mtime)
    if not paths:
        raise DataError(f"there is no chat in {chats_folder()} to resume")
    return paths[-1]


def _told(turn: Turn) -> str:
    return f"## {turn.candidate or turn.role}{' (stopped)' if turn.stopped else ''}\n\n{turn.content.strip()}"
