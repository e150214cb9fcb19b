"""The layers under and over the file: profiles, TURNOUT__SECTION__KEY variables, and --set section.key=value."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Final

from turnout.config.problems import InvalidConfigurationError, Problem, nearest, shown
from turnout.config.shape import allowed, with_models_by_name, without_empty
from turnout.config.source import parse, read_bytes, scalar
from turnout.config.tree import Node, Origin

PREFIX: Final = "TURNOUT__"
PROFILE_VARIABLE: Final = "TURNOUT_PROFILE"
_STEP: Final = re.compile(r'"([^"]*)"|([^."\[\]=\s][^."\[\]=]*)')


def profile_names(folder: Path | None) -> tuple[str, ...]:
    """The profiles that can be chosen: those that ship, and those in `profiles/` beside the file."""
    shipped = (entry.name for entry in files("turnout.config").joinpath("profiles").iterdir())
    own = (entry.name for entry in folder.glob("*.yaml")) if folder is not None else ()
    return tuple(sorted({name.removesuffix(".yaml") for name in (*shipped, *own) if name.endswith(".yaml")}))


def read_profile(name: str, folder: Path | None, chosen_at: Origin) -> Node:
    """The tree of a profile; one beside the file goes before one that ships.

    Raises:
        InvalidConfigurationError: no profile has this name, or its file is wrong.
    """
    known = profile_names(folder)
    if name not in known:
        told = f"no such profile; expected none, auto, {', '.join(known)}"
        near = nearest(name, ("none", "auto", *known))
        raise InvalidConfigurationError([Problem(chosen_at, "profile", told, shown(name), near)])
    own = folder / f"{name}.yaml" if folder is not None else None
    if own is not None and own.is_file():
        tree = parse(read_bytes(own, "profile"), str(own), "profile")
    else:
        content = files("turnout.config").joinpath("profiles", f"{name}.yaml").read_bytes()
        tree = parse(content, f"profile {name}", "profile")
    problems: list[Problem] = []
    tree = with_models_by_name(without_empty(tree), problems)
    if problems:
        raise InvalidConfigurationError(problems)
    return tree


def only_known_providers(profile: Node, known: Iterable[str]) -> Node:
    """A profile with exactly the configured providers, in their order: it changes them, it brings none."""
    providers = profile.child("providers")
    if providers is None or not isinstance(providers.content, dict):
        return profile
    kept = {name: providers.entries.get(name, Node({})) for name in known}
    return profile.with_entries({**profile.entries, "providers": providers.with_entries(kept)})


def with_environment(tree: Node, environment: Mapping[str, str], problems: list[Problem]) -> Node:
    """The tree with TURNOUT__ROUTING__PREFERENCE=quality and the like laid over it, in the order of their names.

    A step finds a key that is there whatever its case and with `_` for any mark (QWEN2_5_7B for qwen2.5:7b).
    """
    for variable in sorted(name for name in environment if name.upper().startswith(PREFIX)):
        origin = Origin("environment", variable)
        steps = variable[len(PREFIX) :].split("__")
        if not all(steps):
            problems.append(Problem(origin, "", "expected TURNOUT__SECTION__KEY, with two underscores between steps"))
            continue
        tree = _put(tree, _existing(tree, steps), environment[variable], origin, problems)
    return tree


def with_settings(tree: Node, settings: Iterable[str], problems: list[Problem]) -> Node:
    """The tree with each `section.key=value` laid over it; a key that holds dots is quoted."""
    for setting in settings:
        path, equals, value = setting.partition("=")
        origin = Origin("command line", f"--set {path}")
        steps = [found[1] if found[1] is not None else found[2] for found in _STEP.finditer(path)]
        if not equals or not steps or _STEP.sub("", path) != "." * (len(steps) - 1):
            told = 'expected section.key=value; a key that holds dots is quoted: providers.ollama.models."qwen2.5:7b"'
            problems.append(Problem(origin, "", told))
            continue
        tree = _put(tree, tuple(steps), value, origin, problems)
    return tree


def _existing(tree: Node, steps: Iterable[str]) -> tuple[str, ...]:
    """The path of a variable: keys that exist as they are written, others in lower case."""
    path: list[str] = []
    node: Node | None = tree
    for step in steps:
        keys = {_folded(key): key for key in (node.entries if node is not None else ())}
        key = keys.get(_folded(step), step.lower())
        path.append(key)
        node = node.child(key) if node is not None else None
    return tuple(path)


def _folded(key: str) -> str:
    return re.sub(r"[^a-z0-9]", "_", key.lower())


def _put(tree: Node, path: tuple[str, ...], value: str, origin: Origin, problems: list[Problem]) -> Node:
    node = _value(path, value, origin, problems)
    if node is None:
        return tree
    for depth in range(1, len(path)):
        above = tree.at(path[:depth])
        if above is not None and not isinstance(above.content, dict):
            told = f"{'.'.join(path[:depth])} has no keys below it"
            problems.append(Problem(origin, ".".join(path), told))
            return tree
    over = tree.put(path, node)
    return with_models_by_name(over, problems)


def _value(path: tuple[str, ...], value: str, origin: Origin, problems: list[Problem]) -> Node | None:
    """What a text on the command line means: a list or section in YAML's flow style, a quoted text, or a scalar.

    Where only text can stand, a text that looks like a number stays text.
    """
    types = allowed(path)
    if types and all(kind is str for kind in types):
        return Node(value, origin, origin)
    if value.strip()[:1] not in ("[", "{", '"', "'"):
        return Node(scalar(value.strip()), origin, origin)
    try:
        tree = parse(f"value: {value}", origin.where, origin.layer)
    except InvalidConfigurationError as error:
        problems += [Problem(origin, ".".join(path), entry.message, shown(value, path[-1])) for entry in error.problems]
        return None
    return _moved(tree.entries["value"], origin)


def _moved(node: Node, origin: Origin) -> Node:
    """The same value, said to come from one place as a whole."""
    content = node.content
    if isinstance(content, dict):
        content = {key: _moved(entry, origin) for key, entry in content.items()}
    elif isinstance(content, list):
        content = [_moved(entry, origin) for entry in content]
    return Node(content, origin, origin)
