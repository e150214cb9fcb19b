"""Configuration as data, where every value and key knows where it was written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

Path: TypeAlias = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where something was written: the layer, its name (a file, a variable, an option), and line and column from 1."""

    layer: str
    where: str = ""
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        place = f"{self.where}:{self.line}" if self.line is not None else self.where
        return f"{self.layer} {place}" if self.layer in ("environment", "command line") else place or self.layer


DEFAULT = Origin("default")


@dataclass(frozen=True, slots=True)
class Node:
    """One value: a scalar, a mapping or a list of nodes. `key` is where its own key stands; `whole` mappings came
    from lists and are replaced, not merged."""

    content: Any
    origin: Origin = DEFAULT
    key: Origin | None = None
    whole: bool = False

    @property
    def entries(self) -> Mapping[str, Node]:
        """The nodes of a mapping; none for anything else."""
        return self.content if isinstance(self.content, dict) else {}

    @property
    def items(self) -> Sequence[Node]:
        """The nodes of a list; none for anything else."""
        return self.content if isinstance(self.content, list) else ()

    def child(self, step: str | int) -> Node | None:
        """The node under one key or index."""
        if isinstance(step, int):
            return self.items[step] if 0 <= step < len(self.items) else None
        return self.entries.get(step)

    def at(self, path: Path) -> Node | None:
        """The node at a path; None where nothing is written."""
        node: Node | None = self
        for step in path:
            node = node.child(step) if node is not None else None
        return node

    def nearest(self, path: Path) -> tuple[Node, int]:
        """The deepest node on the way to a path, and how many steps lead there."""
        node = self
        for depth, step in enumerate(path):
            child = node.child(step)
            if child is None:
                return node, depth
            node = child
        return node, len(path)

    def plain(self) -> Any:
        """The bare data, tuples for lists."""
        if isinstance(self.content, dict):
            return {key: entry.plain() for key, entry in self.content.items()}
        if isinstance(self.content, list):
            return tuple(entry.plain() for entry in self.content)
        return self.content

    def with_entries(self, entries: Mapping[str, Node]) -> Node:
        """The same mapping with other entries."""
        return replace(self, content=dict(entries))

    def put(self, path: Path, node: Node) -> Node:
        """The same tree with one value at a path, merged into what is there."""
        if not path:
            return merge(self, node)
        step, rest = path[0], path[1:]
        if isinstance(step, int):
            items = list(self.items)
            items[step] = items[step].put(rest, node)
            return replace(self, content=items)
        below = self.child(step)
        fresh = (
            Node({}, node.origin, node.key) if below is None or not isinstance(below.content, dict | list) else below
        )
        child = fresh.put(rest, node) if rest else merge(below, node) if below is not None else node
        return self.with_entries({**self.entries, str(step): child})

    def without(self, path: tuple[str, ...]) -> Node:
        """The same tree without what is at a path of keys."""
        child = self.child(path[0])
        if child is None:
            return self
        rest = {key: entry for key, entry in self.entries.items() if key != path[0]}
        return self.with_entries(rest if len(path) == 1 else {**self.entries, path[0]: child.without(path[1:])})

    def walk(self, path: Path = ()) -> Iterator[tuple[Path, Node]]:
        """Every node with its path, this one first."""
        yield path, self
        steps: Iterable[tuple[str | int, Node]] = [*self.entries.items(), *enumerate(self.items)]
        for step, entry in steps:
            yield from entry.walk((*path, step))


def merge(under: Node, over: Node) -> Node:
    """Mappings key by key, everything else by the upper one."""
    if not isinstance(under.content, dict) or not isinstance(over.content, dict) or over.whole:
        return over
    merged = dict(under.content)
    for key, entry in over.content.items():
        merged[key] = merge(merged[key], entry) if key in merged else entry
    return replace(over, content=merged, whole=under.whole)


def written(path: Path) -> str:
    """A path as it is written: routing.rules[2].when."""
    text = ""
    for step in path:
        part = f"[{step}]" if isinstance(step, int) else step if step.replace("-", "_").isidentifier() else f'"{step}"'
        text += part if isinstance(step, int) or not text else f".{part}"
    return text
