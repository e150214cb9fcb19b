"""What the sections look like from outside: which keys fit where, and bringing shorthand into their shape."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import is_dataclass, replace
from typing import Any, Final, get_args, get_origin

from turnout.config.problems import Problem, shown
from turnout.config.schema import PRESETS, Configuration
from turnout.config.tree import DEFAULT, Node, Path, merge
from turnout.config.values import hints, members

KINDS: Final = ("lmstudio", "ollama", "openai", "anthropic")
"""The kinds of providers that come with Turnout; a provider with such a name is of that kind unless it says another."""

_SHARED: Final = (
    ("queue", ("performance", "queue")),
    ("timeouts", ("performance", "timeouts")),
    ("breaker", ("fallback", "breaker")),
    ("retry", ("fallback", "retry")),
)


def allowed(path: Path) -> tuple[Any, ...]:
    """The types that a path may hold, None where it may be nothing; empty for a path that nothing knows."""
    types: tuple[Any, ...] = (Configuration,)
    for step in path:
        types = tuple(member for owner in types for member in _below(owner, step))
    return types


def known_names(path: Path) -> tuple[str, ...]:
    """The keys that a section at this path has."""
    return tuple(name for owner in allowed(path) if is_dataclass(owner) for name in hints(owner))


def _below(owner: Any, step: str | int) -> tuple[Any, ...]:
    if is_dataclass(owner):
        hint = hints(owner).get(str(step))
        return tuple(member for member, _ in members(hint)) if hint is not None else ()
    if get_origin(owner) is Mapping or get_origin(owner) is tuple:
        inner = get_args(owner)[1 if get_origin(owner) is Mapping else 0]
        return tuple(member for member, _ in members(inner))
    return ()


def without_empty(tree: Node, path: Path = ()) -> Node:
    """The tree without sections, lists and mappings that hold nothing: all their lines may be commented out.

    A name of one's own with nothing after it, such as a provider's, is an empty section.
    """
    if not isinstance(tree.content, dict):
        return tree
    kept = {}
    named = any(get_origin(kind) is Mapping for kind in allowed(path))
    for key, entry in tree.content.items():
        below = (*path, key)
        if entry.content is not None or not _may_be_left_empty(allowed(below)):
            kept[key] = without_empty(entry, below)
        elif named:
            kept[key] = replace(entry, content={})
    return tree.with_entries(kept)


def _may_be_left_empty(types: tuple[Any, ...]) -> bool:
    groups = [kind for kind in types if is_dataclass(kind) or get_origin(kind) in (Mapping, tuple)]
    return bool(groups) and type(None) not in types and len(groups) == len(types)


def with_models_by_name(tree: Node, problems: list[Problem]) -> Node:
    """The tree with the models of each provider as a mapping from names, where they stand as a list."""
    for name, provider in (tree.child("providers") or Node({})).entries.items():
        models = provider.child("models")
        if models is not None and isinstance(models.content, list):
            path = ("providers", name, "models")
            named = _named(models, path, problems)
            tree = tree.without(path).put(path, named)
    return tree


def _named(models: Node, path: Path, problems: list[Problem]) -> Node:
    entries: dict[str, Node] = {}
    for index, item in enumerate(models.items):
        name, settings = item, Node({}, item.origin)
        if isinstance(item.content, dict):
            name = item.child("name") or Node(None, item.origin)
            settings = item.without(("name",))
        where = f"{'.'.join(map(str, path))}[{index}]"
        if not isinstance(name.content, str):
            told = "a language model needs a name, as text; put it in quotes if it looks like a number"
            problems.append(Problem(name.origin, where, told, shown(name.content)))
        elif name.content in entries:
            problems.append(Problem(name.origin, where, "the language model is named a second time", name.content))
        else:
            entries[name.content] = replace(settings, key=name.origin)
    return replace(models, content=entries, whole=True)


def complete(tree: Node) -> Node:
    """The tree with what providers take from elsewhere: their kind from their name, address and limits from the kind,
    queue, timeouts, breaker and retry from the shared ones."""
    if tree.child("providers") is None:
        tree = tree.put(("providers",), Node({name: Node({}) for name in PRESETS}))
    completed = {}
    for name, provider in (tree.child("providers") or Node({})).entries.items():
        completed[name] = _completed(name, provider, tree) if isinstance(provider.content, dict) else provider
    providers = tree.child("providers")
    if providers is None or not isinstance(providers.content, dict):
        return tree
    return tree.with_entries({**tree.entries, "providers": providers.with_entries(completed)})


def _completed(name: str, provider: Node, tree: Node) -> Node:
    kind = provider.child("kind")
    if kind is None and name in KINDS:
        kind = Node(name)
        provider = provider.put(("kind",), kind)
    preset = PRESETS.get(str(kind.content), {}) if kind is not None else {}
    if provider.child("base_url") is None and "base_url" in preset:
        provider = provider.put(("base_url",), Node(preset["base_url"]))
    for own, shared_path in _SHARED:
        mine, shared = provider.child(own), tree.at(shared_path)
        usual = node_of(preset.get(own, {}))
        if (mine is None or mine.content is None) and not usual.entries:
            continue
        if mine is not None and not isinstance(mine.content, dict | None):
            continue
        whole = merge(usual, shared) if shared is not None and isinstance(shared.content, dict) else usual
        whole = merge(whole, mine) if mine is not None and isinstance(mine.content, dict) else whole
        provider = provider.with_entries({**provider.entries, own: whole})
    return provider


def node_of(value: Any) -> Node:
    """Plain data as a tree whose values are all defaults."""
    if isinstance(value, Mapping):
        return Node({key: node_of(entry) for key, entry in value.items()}, DEFAULT)
    if isinstance(value, list | tuple):
        return Node([node_of(entry) for entry in value], DEFAULT)
    return Node(value, DEFAULT)
