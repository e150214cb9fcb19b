"""What is wrong with a configuration: every problem with its place, the offending text and the nearest valid name."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from turnout.config.tree import Origin
from turnout.errors import ConfigurationError

_SECRET_NAME: Final = re.compile(r"(?i)(^|[_\-. ])(api_?key|key|secret|token|password|passwd|authorization|auth)$")
_SECRET_TEXT: Final = re.compile(
    r"\b(?:[spr]k[-_]|gh[pousr]_|github_pat_|glpat-|xox[abp]-|hf_|AKIA|AIza)[A-Za-z0-9_\-]{12,}"
    r"|\b[Bb]earer\s+\S+|-----BEGIN[^-]*PRIVATE KEY"
)
_PASSWORD: Final = re.compile(r"(?P<start>[a-z][a-z0-9+.\-]*://)[^/@\s]*@")
_SHOWN_CHARACTERS: Final = 80


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong. `text` is what stands there, `nearest` the valid name that was probably meant."""

    origin: Origin
    path: str
    message: str
    text: str = ""
    nearest: str = ""

    def __str__(self) -> str:
        parts = [str(self.origin), self.path] if self.path else [str(self.origin)]
        shown = f" ({self.text})" if self.text else ""
        meant = f"; did you mean {self.nearest}?" if self.nearest else ""
        return f"{': '.join(parts)}: {self.message}{shown}{meant}"

    def to_json(self) -> dict[str, Any]:
        """The machine-readable form; file is empty for what comes from no file."""
        return {
            "layer": self.origin.layer,
            "where": self.origin.where,
            "line": self.origin.line,
            "column": self.origin.column,
            "path": self.path,
            "message": self.message,
            "text": self.text,
            "nearest": self.nearest,
        }


class InvalidConfigurationError(ConfigurationError):
    """A configuration is refused; `problems` are all that were found, in the order of the file."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name that was probably meant, or nothing; camelCase and dashes count as underscores."""
    names = {entry.lower(): entry for entry in known}
    for spelling in (name, snake(name)):
        found = difflib.get_close_matches(spelling.lower(), names, 1, 0.6)
        if found:
            return names[found[0]]
    return ""


def snake(name: str) -> str:
    """lmStudio as lm_studio, max-wait as max_wait."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).replace("-", "_").lower()


def shown(value: object, name: object = "") -> str:
    """A value as a message may quote it: short, on one line, and never a secret."""
    if isinstance(value, dict):
        return "a section"
    if isinstance(value, list | tuple):
        return "a list"
    if value is None or isinstance(value, bool):
        return {None: "nothing", True: "true", False: "false"}[value]
    text = " ".join(str(redacted(value, name)).split())
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[: _SHOWN_CHARACTERS - 1]}…"


def redacted(value: Any, name: object = "") -> Any:
    """The value, or dots in place of what looks like a secret; passwords in addresses are taken out."""
    if not isinstance(value, str):
        return value
    if value and (_SECRET_NAME.search(str(name)) or _SECRET_TEXT.search(value)):
        return "…"
    return _PASSWORD.sub(r"\g<start>…@", value)
