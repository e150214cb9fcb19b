"""Files of the older system: camelCase keys, providers at the top or under `hybrid`, milliseconds, `condition` rules.

Every key that is taken over gets a note that names the new one; one that has no meaning any more gets a note that says
why. The keys are those of CodeCrucible Synth's config/hybrid.yaml.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final, TypeAlias

from turnout.config.problems import Problem
from turnout.config.tree import Node, written
from turnout.types import TASK_TYPES

Convert: TypeAlias = Callable[[Any], Any]
Keys: TypeAlias = tuple[str, ...]


def _same(value: Any) -> Any:
    return value


def _seconds(milliseconds: Any) -> Any:
    number = isinstance(milliseconds, int | float) and not isinstance(milliseconds, bool)
    return milliseconds / 1000 if number else milliseconds


_PROVIDER: Final[Mapping[Keys, tuple[Keys, Convert]]] = {
    ("endpoint",): (("base_url",), _same),
    ("maxConcurrent",): (("queue", "max_concurrent"), _same),
    ("timeout",): (("timeouts", "total_s"), _seconds),
    ("performance", "maxLoadedModels"): (("queue", "max_resident"), _same),
    ("performance", "maxQueueSize"): (("queue", "max_waiting"), _same),
    ("performance", "numParallel"): (("queue", "max_concurrent_per_candidate"), _same),
    ("performance", "streamTimeout"): (("timeouts", "chunk_s"), _seconds),
}
_PROVIDER_GONE: Final[Mapping[Keys, str]] = {
    ("streamingEnabled",): "a request says whether it streams",
    ("gpuLayers",): "it is set in the provider",
    ("cpuOptimized",): "it is set in the provider",
    ("environment",): "it is set where the provider is started",
    ("performance",): "it is set in the provider, or for each language model with context_length and keep_alive_s",
}
_MOVED: Final[Mapping[Keys, tuple[Keys, Convert]]] = {
    ("hybrid", "defaultProvider"): (("hybrid", "default_provider"), _same),
    ("hybrid", "learningEnabled"): (("hybrid", "learning"), _same),
    ("routing", "escalationThreshold"): (("routing", "escalation", "threshold"), _same),
    ("performance", "metricsCollection"): (("performance", "metrics"), _same),
    ("performance", "healthCheckInterval"): (("performance", "health", "interval_s"), _seconds),
    ("performance", "cacheEnabled"): (("performance", "cache", "exact", "enabled"), _same),
    ("performance", "cacheDuration"): (("performance", "cache", "exact", "ttl_s"), _seconds),
    ("resources", "memory", "maxUsagePercent"): (("resources", "memory", "max_percent"), _same),
    ("resources", "vram", "reservedMB"): (("resources", "vram", "reserve_mb"), _same),
    ("resources", "cpu", "maxUsagePercent"): (("resources", "cpu", "max_percent"), _same),
    ("fallback", "autoFallback"): (("fallback", "enabled"), _same),
    ("fallback", "retryAttempts"): (("fallback", "retry", "retries"), _same),
    ("fallback", "retryDelay"): (("fallback", "retry", "base_s"), _seconds),
    ("fallback", "circuitBreaker", "failureThreshold"): (("fallback", "breaker", "minimum_calls"), _same),
    ("fallback", "circuitBreaker", "recoveryTimeout"): (("fallback", "breaker", "open_s"), _seconds),
    ("development", "logRoutingDecisions"): (("development", "log_decisions"), _same),
    ("development", "debugMode"): (("development", "debug"), _same),
}
_GONE: Final[Mapping[Keys, str]] = {
    ("hybrid", "confidenceScoring"): "every answer is judged",
    ("performance", "healthChecking"): "providers are always looked at",
    ("performance", "autoOptimization"): "hybrid.learning does it",
    ("resources", "memory", "gcThreshold"): "nothing here collects garbage by hand",
    ("resources", "vram", "swappingStrategy"): "requests for a loaded language model go first",
    ("resources", "cpu", "threadPoolSize"): "there is no pool of threads",
    ("fallback", "circuitBreaker"): "breakers are always on",
    ("development", "detailedLogging"): "development.debug does it",
    ("development", "saveMetrics"): "the history and the gateway's metrics hold them",
    ("development", "metricsFile"): "the history and the gateway's metrics hold them",
}
_ROOM: Final[tuple[tuple[Keys, float, Keys, int], ...]] = (
    (("routing", "escalation", "threshold"), 0.5, ("routing", "escalation", "min_threshold"), 1),
    (("routing", "escalation", "threshold"), 0.9, ("routing", "escalation", "max_threshold"), 1),
    (("performance", "health", "interval_s"), 20.0, ("performance", "health", "max_age_s"), 4),
    (("fallback", "breaker", "open_s"), 120.0, ("fallback", "breaker", "max_open_s"), 1),
    (("fallback", "breaker", "minimum_calls"), 20, ("fallback", "breaker", "window"), 1),
    (("fallback", "retry", "base_s"), 5.0, ("fallback", "retry", "max_wait_s"), 1),
)
"""A value that moved, its usual bound, the key of the bound, and how many times the value the bound must be."""
_MOST: Final[Mapping[Keys, float]] = {("routing", "escalation", "max_threshold"): 1.0}
_HOISTED: Final = ("lmStudio", "ollama", "routing")
_NAMES: Final = {"lmStudio": "lmstudio", "ollama": "ollama", "lm-studio": "lmstudio"}
_TYPES: Final[Mapping[str, str]] = {
    "template": "task_type == 'template'",
    "boilerplate": "task_type == 'template'",
    "format": "task_type == 'format'",
    "edit": "task_type == 'edit'",
    "quick-fixes": "task_type == 'edit'",
    "generation": "task_type == 'generation'",
    "simple-generation": "task_type == 'generation'",
    "debugging": "task_type == 'debugging'",
    "analysis": "task_type == 'analysis'",
    "planning": "task_type == 'planning'",
    "multi-file": "task_type == 'multi_file'",
    "complex": "complexity == 'complex'",
    "architecture": "'architecture' in keywords",
    "security": "'security' in keywords",
    "security-review": "'security' in keywords",
}
"""Task types of the older system, and what asks the same today."""
_COMPARED: Final = re.compile(r"""\btaskType\s*={2,3}\s*(['"])([a-z\-]+)\1""")
_SPELLINGS: Final = (
    (re.compile(r"\bcontext\.(?:files\.)?length\b"), "files"),
    (re.compile(r"([=!])=="), r"\1="),
)
_CONDITION: Final = ("condition", "if")
_TARGET: Final = ("target", "provider", "use")


def translated(tree: Node, notes: list[str], problems: list[Problem]) -> Node:
    """The tree under the names of today; what was translated goes to `notes`, what cannot be to `problems`."""
    work = _Translation(tree, notes, problems)
    for name in _HOISTED:
        if ("hybrid", name) in work:
            work.move(("hybrid", name), (name,))
    if ("hybrid", "escalationThreshold") in work:
        if ("routing", "escalationThreshold") in work:
            work.drop(("hybrid", "escalationThreshold"), "routing.escalationThreshold stands beside it")
        else:
            work.move(("hybrid", "escalationThreshold"), ("routing", "escalation", "threshold"))
    for old, new in (("lmStudio", "lmstudio"), ("ollama", "ollama")):
        if (old,) in work:
            work.move((old,), ("providers", new))
    if ("providers", "lmStudio") in work:
        work.move(("providers", "lmStudio"), ("providers", "lmstudio"))
    for old_path, (new_path, convert) in _MOVED.items():
        work.move(old_path, new_path, convert)
    for path, why in _GONE.items():
        work.drop(path, why)
    for name in (work.tree.child("providers") or Node({})).entries:
        _provider(work, name)
    _rules(work)
    _make_room(work)
    return work.tree


class _Translation:
    """A tree on its way to the names of today."""

    def __init__(self, tree: Node, notes: list[str], problems: list[Problem]) -> None:
        self.tree = tree
        self.notes = notes
        self.problems = problems
        self.moved: set[Keys] = set()

    def __contains__(self, path: Keys) -> bool:
        return self.tree.at(path) is not None

    def move(self, old: Keys, new: Keys, convert: Convert = _same) -> None:
        """One key to its new place, its line kept."""
        node = self.tree.at(old)
        if node is None:
            return
        key = node.key or node.origin
        self.tree = self._pruned(self.tree.without(old), old[:-1])
        if self.tree.at(new) is not None:
            told = f"stands here under its old name {written(old)} and elsewhere under its new name"
            self.problems.append(Problem(key, written(new), told))
            return
        scalar = not isinstance(node.content, dict | list)
        self.tree = self.tree.put(new, replace(node, content=convert(node.content)) if scalar else node)
        self.moved.add(new)
        self.notes.append(f"{key}: {written(old)} is now {written(new)}")

    def drop(self, path: Keys, why: str) -> None:
        """One key that has no meaning any more."""
        node = self.tree.at(path)
        if node is None:
            return
        self.tree = self._pruned(self.tree.without(path), path[:-1])
        self.notes.append(f"{node.key or node.origin}: {written(path)} is not needed: {why}")

    def _pruned(self, tree: Node, path: Keys) -> Node:
        """Without a section that has become empty, so that nothing unknown is left over."""
        section = tree.at(path) if path else None
        return tree.without(path) if section is not None and section.content == {} and len(path) > 1 else tree


def _provider(work: _Translation, name: str) -> None:
    path = ("providers", name)
    for old, (new, convert) in _PROVIDER.items():
        work.move((*path, *old), (*path, *new), convert)
    for gone, why in _PROVIDER_GONE.items():
        work.drop((*path, *gone), why)
    types = work.tree.at((*path, "taskTypes"))
    if types is None:
        return
    known = [item.content for item in types.items if isinstance(item.content, str) and item.content in _TYPES]
    rule = Node(
        {
            "name": Node(f"task types of {name}", types.origin),
            "when": Node(" || ".join(dict.fromkeys(_TYPES[name] for name in known)), types.origin),
            "then": _prefer(Node(name, types.origin), None, types),
        },
        types.origin,
        types.key,
    )
    work.tree = work.tree.without((*path, "taskTypes"))
    if known:
        rules = work.tree.at(("routing", "rules")) or Node([], types.origin, types.key)
        if isinstance(rules.content, list):
            work.tree = work.tree.put(("routing", "rules"), replace(rules, content=[*rules.content, rule]))
    work.notes.append(f"{types.key or types.origin}: {written((*path, 'taskTypes'))} is now the last of routing.rules")


def _prefer(target: Node, confidence: Node | None, place: Node) -> Node:
    prefer = {"target": target}
    if confidence is not None:
        prefer["confidence"] = confidence
    return Node({"prefer": Node(prefer, place.origin, place.key)}, place.origin, place.key)


def _rules(work: _Translation) -> None:
    rules = work.tree.at(("routing", "rules"))
    if rules is None or not isinstance(rules.content, list):
        return
    priorities: list[float] = []
    done = []
    for index, rule in enumerate(rules.items):
        priority = rule.child("priority")
        number = priority.content if priority is not None else 0
        priorities.append(number if isinstance(number, int | float) else 0)
        done.append(_rule(work, rule, index))
    if any(priorities):
        order = sorted(range(len(done)), key=lambda index: -priorities[index])
        done = [done[index] for index in order]
        work.notes.append(f"{rules.key or rules.origin}: rules are sorted by priority; now their order is what counts")
    work.tree = work.tree.put(("routing", "rules"), replace(rules, content=done))


def _rule(work: _Translation, rule: Node, index: int) -> Node:
    """One rule with `when` and `then`, and a name where it has none."""
    entries = dict(rule.entries)
    condition = next((key for key in _CONDITION if key in entries), None)
    target = next((key for key in _TARGET if key in entries), None)
    if condition is None and target is None and "priority" not in entries:
        return rule
    place = f"{rule.origin}: routing.rules[{index}]"
    if "priority" in entries:
        entries.pop("priority")
    if condition is not None and "when" not in entries:
        when = entries.pop(condition)
        entries["when"] = replace(when, content=_today(when.content)) if isinstance(when.content, str) else when
        changed = entries["when"].content != when.content
        told = f": {entries['when'].content}" if changed else ""
        work.notes.append(f"{place}.{condition} is now when{told}")
    if target is not None and "then" not in entries:
        node = entries.pop(target)
        if isinstance(node.content, str):
            node = replace(node, content=_NAMES.get(node.content, node.content))
        entries["then"] = _prefer(node, entries.pop("confidence", None), node)
        work.notes.append(f"{place}.{target} is now then.prefer.target, and confidence stands beside it")
    if "name" not in entries:
        entries["name"] = Node(f"rule {index + 1}", rule.origin)
    return rule.with_entries(entries)


def _today(condition: str) -> str:
    """A condition without task types and spellings that nothing knows any more; the others run as they are."""
    for spelling, now in _SPELLINGS:
        condition = spelling.sub(now, condition)
    return _COMPARED.sub(
        lambda found: found[0] if found[2] in TASK_TYPES else _TYPES.get(found[2], found[0]),
        condition,
    )


def _make_room(work: _Translation) -> None:
    """Old values that the bounds of today would refuse move the bounds: they were valid where they come from."""
    for path, usual, bound, factor in _ROOM:
        node = work.tree.at(path)
        value = node.content if node is not None else None
        if path not in work.moved or bound in work or isinstance(value, bool) or not isinstance(value, int | float):
            continue
        value *= factor
        outside = 0 <= value < usual if bound[-1].startswith("min") else usual < value
        if node is not None and outside and value <= _MOST.get(bound, value):
            work.tree = work.tree.put(bound, Node(value, node.origin, node.key))
