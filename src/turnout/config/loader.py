"""All layers into one configuration: defaults, file, profile, environment, command line; the later one wins.

A profile that is chosen from outside (TURNOUT_PROFILE, --profile) lies over the file. One that the file itself names
lies under the file's own values: who writes both into one file wants what stands there.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from turnout.config.checks import check
from turnout.config.layers import PROFILE_VARIABLE, only_known_providers, read_profile, with_environment, with_settings
from turnout.config.legacy import translated
from turnout.config.machine import Machine, look
from turnout.config.problems import Problem
from turnout.config.schema import PRESETS, Configuration, fingerprint, to_plain
from turnout.config.shape import complete, with_models_by_name, without_empty
from turnout.config.source import parse, read_bytes
from turnout.config.tree import DEFAULT, Node, Origin, merge, written
from turnout.config.tree import Path as KeyPath
from turnout.config.validate import validated

FILE_VARIABLE: Final = "TURNOUT_CONFIG"
USUAL_FILE: Final = Path("config/hybrid.yaml")
EXAMPLE: Final = "example.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A configuration that was read: its fingerprint, what to tell about it, and where each value came from."""

    configuration: Configuration
    fingerprint: str
    notes: tuple[str, ...] = ()
    source: str = ""
    profile: str = "none"
    tree: Node = field(default_factory=lambda: Node({}), repr=False)

    def origin(self, path: KeyPath) -> Origin:
        """Where the value at a path was written."""
        node, depth = self.tree.nearest(path)
        inside = depth < len(path) and isinstance(node.content, dict | list)
        return DEFAULT if inside else node.origin

    def origins(self) -> Iterator[tuple[str, Any, Origin]]:
        """Every value with its path as text and its origin, in the order of the schema."""
        for path, value in _leaves(to_plain(self.configuration), ()):
            yield written(path), value, self.origin(path)


def load(
    path: Path | str | None = None,
    *,
    profile: str | None = None,
    settings: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    machine: Callable[[], Machine] = look,
) -> Loaded:
    """Read a configuration file with everything that lies under and over it.

    Args:
        path: the file; None takes TURNOUT_CONFIG, then config/hybrid.yaml, then the example that ships.
        profile: a name, auto or none, in place of TURNOUT_PROFILE and of what the file says.
        settings: `section.key=value` texts, the strongest layer.
        environment: in place of the process's own.
        machine: what `auto` looks at.

    Raises:
        InvalidConfigurationError: everything that is wrong, with file and line.
    """
    environment = os.environ if environment is None else environment
    chosen = Path(path) if path is not None else usual_file(environment)
    if chosen is None:
        content, source = example_text().encode(), EXAMPLE
    else:
        content, source = read_bytes(chosen), str(chosen)
    return load_content(content, source, profile=profile, settings=settings, environment=environment, machine=machine)


def load_content(
    content: bytes,
    source: str,
    *,
    profile: str | None = None,
    settings: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    machine: Callable[[], Machine] = look,
) -> Loaded:
    """The same from content that was read already; `source` is its name in messages."""
    environment = os.environ if environment is None else environment
    problems: list[Problem] = []
    notes: list[str] = []
    file = without_empty(translated(parse(content, source, problems=problems), notes, problems))
    file = with_models_by_name(file, problems)
    folder = Path(source).parent / "profiles"
    choice = _choice(file, profile, environment)
    tree, name = _with_profile(file, choice, folder, machine, notes)
    tree = with_environment(tree, environment, problems)
    tree = complete(with_settings(tree, settings, problems))
    problems += check(tree)
    configuration = validated(tree, problems)
    return Loaded(
        configuration=configuration,
        fingerprint=fingerprint(configuration),
        notes=tuple(notes),
        source=source,
        profile=name,
        tree=tree,
    )


def usual_file(environment: Mapping[str, str]) -> Path | None:
    """The file that is read where none is named; None where there is none."""
    named = environment.get(FILE_VARIABLE)
    if named:
        return Path(named)
    return USUAL_FILE if USUAL_FILE.is_file() else None


def example_text() -> str:
    """The commented example that ships."""
    return files("turnout.config").joinpath(EXAMPLE).read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True)
class _Choice:
    name: str
    origin: Origin
    from_file: bool = False


def _choice(file: Node, profile: str | None, environment: Mapping[str, str]) -> _Choice:
    if profile is not None:
        return _Choice(profile, Origin("command line", "--profile"))
    if environment.get(PROFILE_VARIABLE):
        return _Choice(environment[PROFILE_VARIABLE], Origin("environment", PROFILE_VARIABLE))
    node = file.child("profile")
    if node is not None and isinstance(node.content, str):
        return _Choice(node.content, node.origin, from_file=True)
    return _Choice("none", DEFAULT)


def _with_profile(
    file: Node, choice: _Choice, folder: Path, machine: Callable[[], Machine], notes: list[str]
) -> tuple[Node, str]:
    """The file with the chosen profile under or over it, and the profile's name."""
    name = choice.name
    base = (
        file
        if file.child("providers") is not None
        else file.put(("providers",), Node({kind: Node({}) for kind in PRESETS}))
    )
    if name == "auto":
        found = machine()
        name = found.profile
        notes.append(f"{choice.origin}: profile auto chose {name} for {found}")
    if name == "none":
        return base, name
    profile = only_known_providers(
        read_profile(name, folder, choice.origin), (base.child("providers") or Node({})).entries
    )
    if not choice.from_file:
        return merge(base, profile), name
    return merge(profile, base), name


def _leaves(value: Any, path: KeyPath) -> Iterator[tuple[KeyPath, Any]]:
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    if not value or not isinstance(value, dict | list):
        yield path, value
    for step, entry in steps:
        yield from _leaves(entry, (*path, step))
