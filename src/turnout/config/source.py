"""YAML text into a tree that knows the line and column of every key and value.

Built from parser events, without recursion, so that neither deep nesting nor aliases of aliases can hurt. Numbers,
truth and nothing follow the YAML 1.2 core schema; yes, no, on and off are truth as well; keys are always text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, NoReturn

from turnout.config.problems import InvalidConfigurationError, Problem, shown
from turnout.config.tree import Node, Origin, written

MAX_BYTES: Final = 1_000_000
MAX_DEPTH: Final = 40
MAX_NODES: Final = 50_000

_TRUTH: Final = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
_INTEGER: Final = re.compile(r"[-+]?(?:0|[1-9][0-9_]*)")
_OTHER_BASE: Final = re.compile(r"0x[0-9a-fA-F]+|0o[0-7]+")
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_SPECIAL: Final = {".inf": float("inf"), "+.inf": float("inf"), "-.inf": float("-inf"), ".nan": float("nan")}
_MAX_NUMBER_CHARACTERS: Final = 40
_TEXT_TAGS: Final = (None, "!", "tag:yaml.org,2002:str")


def read_bytes(path: Path, layer: str = "file") -> bytes:
    """The content of a configuration file.

    Raises:
        InvalidConfigurationError: it does not exist, is no file, cannot be read, or is larger than 1 MB.
    """
    origin = Origin(layer, str(path))
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InvalidConfigurationError([Problem(origin, "", f"cannot be read: {reason}")]) from None
    if len(content) > MAX_BYTES:
        raise InvalidConfigurationError([Problem(origin, "", f"is larger than {MAX_BYTES:,} bytes")])
    return content


def parse(content: bytes | str, where: str, layer: str = "file", problems: list[Problem] | None = None) -> Node:
    """The tree of one YAML document; an empty one is an empty mapping. Keys that stand twice go to `problems` where
    that is given, so that a reader can go on and tell what else is wrong.

    Raises:
        InvalidConfigurationError: not UTF-8, not YAML, no mapping at the top, two documents, a key twice, aliases that
            multiply, nesting too deep; each with its line.
    """
    text = _decoded(content, where, layer) if isinstance(content, bytes) else content
    builder = _Builder(where, layer)
    tree = builder.build(text)
    if problems is None and builder.problems:
        raise InvalidConfigurationError(builder.problems)
    if problems is not None:
        problems += builder.problems
    return tree


def _decoded(content: bytes, where: str, layer: str) -> str:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        told = f"is not UTF-8 (byte 0x{content[error.start]:02x}); save the file with the encoding UTF-8"
        raise InvalidConfigurationError([Problem(Origin(layer, where, line, 1), "", told)]) from None
    return text


def scalar(text: str) -> Any:
    """What an unquoted text means: nothing, truth, a number, or itself."""
    if text in ("", "~", "null", "Null", "NULL"):
        return None
    lowered = text.lower()
    if lowered in _TRUTH and text in (lowered, lowered.title(), lowered.upper()):
        return _TRUTH[lowered]
    if lowered in _SPECIAL:
        return _SPECIAL[lowered]
    if len(text) <= _MAX_NUMBER_CHARACTERS:
        if _INTEGER.fullmatch(text):
            return int(text)
        if _OTHER_BASE.fullmatch(text):
            return int(text, 0)
        if _FLOAT.fullmatch(text):
            return float(text)
    return text


@dataclass(slots=True)
class _Open:
    """A mapping or list whose end has not come yet."""

    node: Node
    anchor: str | None
    key: str | None = None
    key_origin: Origin | None = None
    size: int = 1


@dataclass(slots=True)
class _Builder:
    where: str
    layer: str
    problems: list[Problem] = field(default_factory=list)
    stack: list[_Open] = field(default_factory=list)
    anchors: dict[str, tuple[Node, int] | None] = field(default_factory=dict)
    root: Node | None = None

    def build(self, text: str) -> Node:
        import yaml

        handlers: dict[type, Callable[[Any], None]] = {
            yaml.ScalarEvent: self._scalar,
            yaml.AliasEvent: self._alias,
            yaml.MappingStartEvent: lambda event: self._open(event, {}),
            yaml.SequenceStartEvent: lambda event: self._open(event, []),
            yaml.MappingEndEvent: self._close,
            yaml.SequenceEndEvent: self._close,
            yaml.DocumentStartEvent: self._document,
        }
        try:
            for event in _events(text):
                handler = handlers.get(type(event))
                if handler is not None:
                    handler(event)
        except yaml.YAMLError as error:
            self._refuse_yaml(error, text)
        if self.root is None or self.root.content is None:
            return Node({}, Origin(self.layer, self.where, 1, 1))
        if not isinstance(self.root.content, dict):
            self._fail(self.root.origin, f"holds {_kind(self.root)} at its top; expected sections such as routing:")
        return self.root

    def _document(self, event: Any) -> None:
        if self.root is not None:
            self._fail(self._at(event.start_mark), "a second document begins; one file holds one configuration")

    def _scalar(self, event: Any) -> None:
        origin = self._at(event.start_mark)
        top = self.stack[-1] if self.stack else None
        if top is not None and isinstance(top.node.content, dict) and top.key is None:
            if event.anchor is not None or event.tag not in _TEXT_TAGS:
                self._fail(origin, "a key has an anchor or a tag; write it plainly", event.value)
            self._begin_key(top, event.value, origin)
            return
        if event.tag not in _TEXT_TAGS:
            self._fail(origin, f"tags are not supported ({event.tag})", event.value)
        plain = event.implicit[0] and event.tag is None
        self._add(Node(scalar(event.value) if plain else event.value, origin), event.anchor, 1)

    def _begin_key(self, top: _Open, key: str, origin: Origin) -> None:
        earlier = top.node.content.get(key)
        if earlier is not None:
            steps = (len(entry.node.items) if entry.key is None else entry.key for entry in self.stack[:-1])
            told = f"the key stands here a second time, first in line {earlier.key.line}"
            self.problems.append(Problem(origin, written((*steps, key)), told))
        top.key, top.key_origin = key, origin

    def _open(self, event: Any, content: Any) -> None:
        origin = self._at(event.start_mark)
        if event.tag not in (None, "!"):
            self._fail(origin, f"tags are not supported ({event.tag})")
        if self.stack and isinstance(self.stack[-1].node.content, dict) and self.stack[-1].key is None:
            self._fail(origin, "a key is a section or a list; expected a text")
        if len(self.stack) >= MAX_DEPTH:
            self._fail(origin, f"is nested deeper than {MAX_DEPTH} levels")
        if event.anchor is not None:
            self.anchors[event.anchor] = None
        self.stack.append(_Open(Node(content, origin), event.anchor))

    def _close(self, _: Any) -> None:
        done = self.stack.pop()
        self._add(done.node, done.anchor, done.size)

    def _alias(self, event: Any) -> None:
        origin = self._at(event.start_mark)
        if event.anchor not in self.anchors:
            self._fail(origin, f"nothing is named &{event.anchor}", f"*{event.anchor}")
        known = self.anchors[event.anchor]
        if known is None:
            self._fail(origin, f"&{event.anchor} would hold itself", f"*{event.anchor}")
        elif self.stack and isinstance(self.stack[-1].node.content, dict) and self.stack[-1].key is None:
            self._fail(origin, "an alias cannot be a key", f"*{event.anchor}")
        else:
            self._add(known[0], None, known[1], origin)

    def _add(self, node: Node, anchor: str | None, size: int, used_at: Origin | None = None) -> None:
        top = self.stack[-1] if self.stack else None
        total = size if top is None else top.size + size
        if total > MAX_NODES:
            self._fail(
                used_at or node.origin,
                f"holds more than {MAX_NODES:,} values, aliases counted as often as they are used",
            )
        if anchor is not None:
            self.anchors[anchor] = (node, size)
        if top is None:
            self.root = node
            return
        top.size = total
        if isinstance(top.node.content, list):
            top.node.content.append(node)
        elif top.key is not None:
            top.node.content[top.key] = replace(node, key=top.key_origin)
            top.key = None

    def _at(self, mark: Any) -> Origin:
        return Origin(self.layer, self.where, mark.line + 1, mark.column + 1)

    def _fail(self, origin: Origin, message: str, text: object = "") -> NoReturn:
        raise InvalidConfigurationError([*self.problems, Problem(origin, "", message, shown(text) if text else "")])

    def _refuse_yaml(self, error: Any, text: str) -> None:
        mark = getattr(error, "problem_mark", None)
        if mark is None:  # a character that YAML does not allow
            position = getattr(error, "position", 0)
            line = text[:position].count("\n") + 1
            self._fail(Origin(self.layer, self.where, line, 1), "holds a character that YAML does not allow")
        lines = text.splitlines()
        line = min(mark.line + 1, max(len(lines), 1))
        quoted = lines[line - 1].strip() if lines else ""
        quoted = shown(quoted, quoted.partition(":")[0].strip("\"'- "))
        reason = _REASONS.get(str(error.problem), str(error.problem))
        context = getattr(error, "context_mark", None)
        if neighbours := _misfit(lines, line):
            reason = f"the indentation fits neither {neighbours}"
        elif context is not None and context.line + 1 != line:
            reason = f"{reason}, in what begins in line {context.line + 1}"
        self._fail(Origin(self.layer, self.where, line, mark.column + 1), f"is not YAML: {reason}", quoted)


def _misfit(lines: Sequence[str], number: int) -> str:
    """The two lines between whose indentations that of a line lies, one of them probably being wrong; or nothing."""
    levels: list[tuple[int, int, int]] = []  # indentation, its first line, its last line
    for at, line in enumerate(lines[:number], 1):
        stripped = line.lstrip(" ")
        if not stripped or stripped.startswith("#"):
            continue
        indentation = len(line) - len(stripped)
        inner = None
        while levels and levels[-1][0] > indentation:
            inner = levels.pop()
        if levels and levels[-1][0] == indentation:
            levels[-1] = (indentation, levels[-1][1], at)
        elif at == number and inner is not None and levels:
            outer = levels[-1]
            return f"line {outer[2]} ({outer[0]} spaces) nor line {inner[1]} ({inner[0]} spaces)"
        else:
            levels.append((indentation, at, at))
    return ""


_REASONS: Final = {
    "mapping values are not allowed in this context": "a second colon, or the line is indented too far",
    "mapping values are not allowed here": "a second colon, or the line is indented too far",
    "did not find expected key": "a key was expected here; does the indentation fit the lines above?",
    "could not find expected ':'": "a colon is missing, or the indentation does not fit",
    "found character that cannot start any token": "a tab or another character that cannot stand here; indent with spaces",
    "found a tab character that violates indentation": "a tab; indent with spaces",
    "found unexpected end of stream": "a quote or a bracket is not closed",
}


def _events(text: str) -> Iterator[Any]:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the parser in C where PyYAML was built with it
    return iter(yaml.parse(text, Loader=loader))


def _kind(node: Node) -> str:
    return "a list" if isinstance(node.content, list) else f"only {shown(node.content)!r}"
