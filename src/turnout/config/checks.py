"""What a schema cannot say: names that nobody has, conditions that do not compile, providers of no known kind.

Works on the tree, so that one wrong type elsewhere hides nothing, and every problem has its line.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from importlib.metadata import entry_points
from typing import Final

from turnout.config.default_voices import default_voices
from turnout.config.problems import Problem, nearest, shown
from turnout.config.shape import KINDS
from turnout.config.tree import Node, Path, written
from turnout.types.task import TIERS

_NOTHING: Final = Node({})


def check(tree: Node) -> list[Problem]:
    """Every problem of meaning in a completed tree."""
    targets = Targets.of(tree)
    return [
        *_providers(tree, targets),
        *_rules(tree, targets),
        *_speakers(tree, targets),
    ]


@dataclass(frozen=True, slots=True)
class Targets:
    """Whom a name may mean: providers, their named candidates, and providers that offer whatever they have."""

    providers: tuple[str, ...]
    candidates: tuple[str, ...]
    offering_all: tuple[str, ...]

    @classmethod
    def of(cls, tree: Node) -> Targets:
        """The targets that a tree has."""
        providers = (tree.child("providers") or _NOTHING).entries
        models = {name: (entry.child("models") or _NOTHING).entries for name, entry in providers.items()}
        return cls(
            providers=tuple(providers),
            candidates=tuple(f"{name}/{model}" for name, named in models.items() for model in named),
            offering_all=tuple(name for name, named in models.items() if not named),
        )

    def find(self, target: str) -> bool:
        """Whether a target can mean anybody: a provider, a candidate, a tier, or a pattern over both."""
        if target in self.providers or target in self.candidates or target in TIERS:
            return True
        provider, slash, _ = target.partition("/")
        if not any(mark in target for mark in "*?["):
            return bool(slash) and provider in self.offering_all and not target.endswith("/")
        if any(fnmatchcase(name, target) for name in (*self.providers, *self.candidates)):
            return True
        return any(fnmatchcase(name, provider) if slash else True for name in self.offering_all)

    def nearest(self, target: str) -> str:
        """Who was probably meant: a candidate whose provider was left out, or the most similar name."""
        if any(mark in target for mark in "*?["):
            return ""
        named = [candidate for candidate in self.candidates if candidate.partition("/")[2] == target]
        return named[0] if named else nearest(target, (*self.candidates, *self.providers))

    def problem(self, node: Node, path: Path) -> Iterator[Problem]:
        """The problem of a name that nobody has."""
        if isinstance(node.content, str) and not self.find(node.content):
            near = self.nearest(node.content)
            known = "" if near else f"; known are {', '.join((*self.providers, *self.candidates)) or 'none'}"
            told = f"no candidate, provider or pattern matches{known}"
            yield Problem(node.origin, written(path), told, shown(node.content), near)


def _providers(tree: Node, targets: Targets) -> Iterator[Problem]:
    default = tree.at(("hybrid", "default_provider"))
    if default is not None and isinstance(default.content, str) and default.content not in ("auto", *targets.providers):
        known = ("auto", *targets.providers)
        near = nearest(default.content, known)
        told = f"expected {', '.join(known)}"
        yield Problem(default.origin, "hybrid.default_provider", told, shown(default.content), near)
    providers = tree.child("providers") or _NOTHING
    for name, entry in providers.entries.items():
        kind = entry.child("kind")
        if kind is not None and isinstance(kind.content, str) and not _is_kind(kind.content):
            near, told = (
                nearest(kind.content, KINDS),
                f"no kind of provider; expected {', '.join(KINDS)} or package.module:Class",
            )
            yield Problem(kind.origin, written(("providers", name, "kind")), told, shown(kind.content), near)
    switches = [entry.child("enabled") for entry in providers.entries.values()]
    if isinstance(providers.content, dict) and all(
        switch is not None and switch.content is False for switch in switches
    ):
        yield Problem(providers.key or providers.origin, "providers", "no provider is enabled; enable at least one")


def _is_kind(kind: str) -> bool:
    return kind in KINDS or ":" in kind or bool(entry_points(group="turnout.providers", name=kind))


def _rules(tree: Node, targets: Targets) -> Iterator[Problem]:
    rules = tree.at(("routing", "rules")) or _NOTHING
    names: dict[str, Node] = {}
    for index, rule in enumerate(rules.items):
        path: Path = ("routing", "rules", index)
        name, when = rule.child("name"), rule.child("when")
        if name is not None and isinstance(name.content, str):
            first = names.setdefault(name.content, name)
            if first is not name:
                told = f"two rules have this name, the first in line {first.origin.line}"
                yield Problem(name.origin, written((*path, "name")), told, shown(name.content))
        if when is not None and isinstance(when.content, str) and when.content.strip():
            yield from _condition(when, (*path, "when"), targets)
        for below in (("then", "force"), ("then", "forbid"), ("then", "prefer", "target")):
            yield from _named(rule, path, below, targets)


def _condition(node: Node, path: Path, targets: Targets) -> Iterator[Problem]:
    from turnout.config.expressions import ExpressionError, compile_rule  # only a file with rules pays for the engine

    candidates = None if targets.offering_all else targets.candidates
    try:
        compile_rule(node.content, providers=targets.providers, candidates=candidates)
    except ExpressionError as error:
        yield Problem(node.origin, written(path), str(error), shown(node.content))


def _named(owner: Node, path: Path, below: Path, targets: Targets) -> Iterator[Problem]:
    node, whole = owner.at(below), (*path, *below)
    if node is None:
        return
    if isinstance(node.content, list):
        for index, item in enumerate(node.items):
            yield from targets.problem(item, (*whole, index))
    else:
        yield from targets.problem(node, whole)


def _speakers(tree: Node, targets: Targets) -> Iterator[Problem]:
    """Voices, ensembles, the judge of answers and the cache name candidates; ensembles name voices."""
    voices = (tree.child("voices") or _NOTHING).entries
    for name, voice in voices.items():
        yield from _named(voice, ("voices", name), ("candidates",), targets)
    for name, ensemble in (tree.child("ensembles") or _NOTHING).entries.items():
        path: Path = ("ensembles", name)
        yield from _named(ensemble, path, ("candidates",), targets)
        yield from _named(ensemble, path, ("judge",), targets)
        speakers = ensemble.child("voices") or _NOTHING
        known = tuple(dict.fromkeys((*voices, *default_voices())))
        for index, item in enumerate(speakers.items or (speakers,)):
            if isinstance(item.content, str) and item.content not in known:
                told = f"no such voice; known are {', '.join(known)}"
                yield Problem(
                    item.origin,
                    written((*path, "voices", index)),
                    told,
                    shown(item.content),
                    nearest(item.content, known),
                )
    judge: Path = ("outcomes", "judge", "candidate")
    found = tree.at(judge)
    if found is not None and "/" in str(found.content):  # without one it is refused already
        yield from targets.problem(found, judge)
    embedding = tree.at(("performance", "cache", "semantic", "embedding"))
    if embedding is not None and embedding.content != "builtin":
        yield from targets.problem(embedding, ("performance", "cache", "semantic", "embedding"))
