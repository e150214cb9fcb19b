"""Broken variants of a configuration file, made by machine: each is a text and the lines where the mistake may be told.

Every mutation knows the file only through its own tree and the types of the schema, so a new line in the example is
broken in every way without anybody thinking of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_origin

from turnout.config.shape import allowed, known_names
from turnout.config.source import parse
from turnout.config.tree import Node, Path, written
from turnout.config.values import Strict, hints, members


@dataclass(frozen=True)
class Mutant:
    """A broken text. `lines` are the lines, from 1, at which its mistake is rightly told."""

    kind: str
    where: str
    text: str
    lines: frozenset[int]

    def __str__(self) -> str:
        return f"{self.kind} {self.where}"


class Original:
    """A text with its tree, and texts with one line changed."""

    def __init__(self, text: str) -> None:
        self.lines = text.splitlines()
        self.tree = parse(text, "f.yaml")
        self.nodes = [(path, node) for path, node in self.tree.walk() if node.key is not None]

    def with_line(self, number: int, *new: str) -> str:
        return "\n".join([*self.lines[: number - 1], *new, *self.lines[number:]]) + "\n"

    def with_span(self, line: int, start: int, end: int, new: str) -> str:
        old = self.lines[line - 1]
        return self.with_line(line, old[:start] + new + old[end:])

    def value_span(self, node: Node) -> tuple[int, int, int]:
        """Line and columns from 0 of a scalar or of a list in brackets."""
        assert node.origin.line is not None and node.origin.column is not None
        line, start = node.origin.line, node.origin.column - 1
        rest = self.lines[line - 1][start:]
        ends = r",\]}" if "[" in self.lines[line - 1][:start] else ""
        found = re.match(rf"""'(?:[^']|'')*'|"[^"]*"|\[[^\]]*\]|(?:[^#{ends}]|(?<! )#)*[^#\s{ends}]""", rest)
        assert found is not None, rest
        return line, start, start + found.end()


def mutants(text: str) -> Iterator[Mutant]:
    """Every broken variant."""
    original = Original(text)
    for mutate in (
        _renamed,
        _repeated,
        _of_another_type,
        _out_of_range,
        _misspelled_choice,
        _nameless,
        _indented,
        _torn,
    ):
        yield from mutate(original)


def _key_line(node: Node) -> int:
    assert node.key is not None and node.key.line is not None
    return node.key.line


def _is_schema_key(path: Path) -> bool:
    return str(path[-1]) in known_names(path[:-1]) or (path[-1] == "name" and "models" in path)


def _renamed(original: Original) -> Iterator[Mutant]:
    """A key with a letter more, two letters exchanged, or in capitals."""
    for path, node in original.nodes:
        key, line = str(path[-1]), _key_line(node)
        if not _is_schema_key(path):
            continue
        assert node.key is not None and node.key.column is not None
        start = node.key.column - 1
        for new in (f"{key}x", f"{key[1]}{key[0]}{key[2:]}", key.upper()):
            if new != key:
                text = original.with_span(line, start, start + len(key), new)
                yield Mutant("key renamed", f"{written(path)} to {new}", text, frozenset({line}))


def _repeated(original: Original) -> Iterator[Mutant]:
    """A key that stands twice in its section."""
    for path, node in original.nodes:
        line = _key_line(node)
        if isinstance(node.content, dict | list) or original.lines[line - 1].lstrip().startswith("- "):
            continue
        if original.lines[line - 1].rstrip().endswith((">", "|", "}")):
            continue
        again = original.with_line(line, original.lines[line - 1], original.lines[line - 1])
        yield Mutant("key twice", written(path), again, frozenset({line + 1}))


_VALUES = {"number": "17", "truth": "true", "text": "many", "list": "[1, 2]", "section": "{a: 1}", "nothing": ""}


def _of_another_type(original: Original) -> Iterator[Mutant]:
    """A scalar that becomes something its field cannot hold."""
    for path, node in original.nodes:
        if isinstance(node.content, dict | list) or not _is_schema_key(path):
            continue
        fits = _fitting(path)
        line, start, end = original.value_span(node)
        for kind, value in _VALUES.items():
            if kind not in fits:
                text = original.with_span(line, start, end, value)
                yield Mutant("another type", f"{written(path)}: {kind}", text, frozenset({line}))


def _fitting(path: Path) -> set[str]:
    """Kinds of values that a field can hold."""
    kinds = {int: "number", float: "number", bool: "truth", str: "text", type(None): "nothing"}
    found = {kinds[member] for member in allowed(path) if member in kinds}
    if any(get_origin(member) is tuple for member in allowed(path)):
        found |= {"list", "text", "nothing"}
    return found or {"text"} if "models" in path else found


def _out_of_range(original: Original) -> Iterator[Mutant]:
    """A number beyond its bounds, or none at all."""
    for path, node in original.nodes:
        owner = allowed(path[:-1])
        if isinstance(node.content, bool) or not isinstance(node.content, int | float) or not owner:
            continue
        ranges = [
            entry
            for _, metadata in members(hints(owner[0])[str(path[-1])])
            for entry in metadata
            if isinstance(entry, Strict)
        ]
        line, start, end = original.value_span(node)
        beyond: list[Any] = [".nan", "-.inf"] if isinstance(node.content, float) else []
        for entry in ranges:
            beyond += [entry.above, entry.above - 1] if entry.above is not None else []
            beyond += [entry.least - 1] if entry.least is not None else []
            beyond += [entry.most + 1] if entry.most is not None else []
        for value in beyond:
            told = f"{value:g}" if isinstance(value, float | int) else value
            text = original.with_span(line, start, end, told)
            yield Mutant("out of range", f"{written(path)}: {told}", text, frozenset({line}))


def _misspelled_choice(original: Original) -> Iterator[Mutant]:
    """A word of a fixed list with a letter too many, a name that nobody has, a variable that there is not."""
    for path, node in original.tree.walk():
        if not isinstance(node.content, str) or node.origin.line is None:
            continue
        line, start, end = original.value_span(node)
        steps = [step for step in path if isinstance(step, str)]
        chosen = any(get_origin(member) is Literal for member in allowed(path)) or steps[-1:] == ["profile"]
        named = {"force", "forbid", "target", "default_provider", "candidates", "kind", "judge"} & set(steps[-1:])
        if chosen or named or steps[-1:] == ["voices"]:
            for new in (f"{node.content}x", node.content[:-1] + "zz"):
                text = original.with_span(line, start, end, new)
                yield Mutant("name misspelled", f"{written(path)}: {new}", text, frozenset({line}))
        if steps[-1:] == ["when"]:
            old = original.lines[line - 1]
            for word in re.finditer(r"(?<!['.\w])[A-Za-z_]+\b(?!['(])", old[start:end]):
                wrong = f"{word[0]}q"
                text = original.with_span(line, start + word.start(), start + word.end(), wrong)
                yield Mutant("variable misspelled", f"{written(path)}: {wrong}", text, frozenset({line}))
            for torn in ("(", " &&", " == ", "'"):
                text = original.with_span(line, end, end, torn) if old[end - 1] not in "'\"" else ""
                if text:
                    lines = frozenset(range(line, line + 3)) if torn == "'" else frozenset({line})
                    yield Mutant("condition torn", f"{written(path)}: {torn}", text, lines)


def _nameless(original: Original) -> Iterator[Mutant]:
    """A line with a required key taken out; told where its section begins."""
    for path, node in original.nodes:
        owner = original.tree.at(path[:-1])
        required = {"when", "then", "kind", "system_prompt", "target"}
        line = _key_line(node)
        if path[-1] not in required or owner is None or isinstance(node.content, dict):
            continue
        begins = {place.line for place in (owner.key, owner.origin) if place is not None and place.line is not None}
        text = original.with_line(line)
        yield Mutant("line missing", written(path), text, frozenset(begins | {first + 1 for first in begins}))


def _indented(original: Original) -> Iterator[Mutant]:
    """A line one or two spaces too far in or out, or with a tab."""
    for number, line in enumerate(original.lines, 1):
        stripped = line.lstrip()
        if not stripped or stripped.startswith("#"):
            continue
        near = frozenset({number - 1, number, number + 1, _next(original, number)})
        for spaces in (1, 2):
            yield Mutant(
                "indented", f"line {number} by {spaces}", original.with_line(number, " " * spaces + line), near
            )
            if len(line) - len(stripped) >= spaces:
                yield Mutant("outdented", f"line {number} by {spaces}", original.with_line(number, line[spaces:]), near)
        yield Mutant("tab", f"line {number}", original.with_line(number, f"\t{stripped}"), near)


def _torn(original: Original) -> Iterator[Mutant]:
    """A line without its colon, with an open quote, or with a bracket that never closes."""
    for path, node in original.nodes:
        line = _key_line(node)
        old = original.lines[line - 1]
        assert node.key is not None and node.key.column is not None
        after = node.key.column - 1 + len(str(path[-1]))
        near = frozenset({line, _next(original, line)})
        if old[after : after + 1] == ":":
            yield Mutant("no colon", written(path), original.with_span(line, after, after + 1, ""), near)
        if not isinstance(node.content, dict | list):
            _, start, _ = original.value_span(node)
            if old[start] not in "'\"[":
                for mark in ("[", "{", "*", "@", "%", "!!python/name:os "):
                    text = original.with_span(line, start, start, mark)
                    yield Mutant(
                        f"stray {mark}", written(path), text, frozenset(range(line, _next(original, line) + 1))
                    )


def _next(original: Original, number: int) -> int:
    """The next line that holds more than a comment."""
    for later in range(number + 1, len(original.lines) + 1):
        stripped = original.lines[later - 1].strip()
        if stripped and not stripped.startswith("#"):
            return later
    return number
