"""What conditions of rules can ask about one request: only what some rule reads, converted only where it changed.

Converting a text for the expression engine takes 2 microseconds and a map of 8 candidates 180, so each thread keeps one
prepared context and changes in it what differs from the request before. What a snapshot says is made once for all
requests that are decided with it.

A condition that goes over all candidates adds 60 microseconds each time their state changed (8 candidates, one core of a
shared Intel Xeon), so ask for a candidate by name where one is meant.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

import cel

from turnout.config.expression_variables import MAX_ENTRIES
from turnout.config.expressions import CompiledRule
from turnout.policy.comparisons import Holds, Layers, Place, comparison_of
from turnout.policy.observed import CANDIDATE_FIELDS, PROVIDER_FIELDS, Observed
from turnout.policy.requested import MAPS, PLAIN, Maker, Requested, at
from turnout.types import Request, Snapshot

Values: TypeAlias = tuple[Any, ...]
"""Of some variables, in an order that their sheet knows."""

_SAID: Final = ("confidence", "margin")
_ABSENT: Final = object()


class Facts:
    """The variables of one request. Made by `FactSheet.of`; belongs to no thread.

    They lie in layers, because each changes in its own time: what the snapshot says, what is asked, and what the
    predictor said, which is empty until it has spoken.
    """

    __slots__ = ("_sheet", "layers")

    def __init__(self, sheet: FactSheet, seen: Values, asked: Values, said: Values = ()) -> None:
        self._sheet = sheet
        self.layers: Layers = (seen, asked, said)

    @property
    def values(self) -> dict[str, Any]:
        """All variables by name."""
        return {
            name: self.layers[layer][index]
            for name, (layer, index) in self._sheet.places.items()
            if index < len(self.layers[layer])
        }

    @property
    def context(self) -> cel.Context:
        """The prepared context of this thread. Use it before other facts of the same sheet are asked for theirs."""
        return self._sheet.context(self)

    @property
    def lean_context(self) -> cel.Context:
        """Another one, which holds only what those conditions read that are no comparisons (see `FactSheet.compared`)."""
        return self._sheet.lean_context(self)

    def context_of(self, condition: CompiledRule) -> cel.Context:
        """One that holds only what this condition reads, for a comparison that the engine has to decide after all."""
        return self._sheet.context_of(condition, self)

    def after(self, confidence: float, margin: float) -> Facts:
        """The same request when the predictor has spoken."""
        seen, asked, _ = self.layers
        return Facts(self._sheet, seen, asked, (confidence, margin))


class FactSheet:
    """Which facts a set of conditions reads, and how each is made. Safe to share between threads.

    `places` says where in the layers of facts each variable lies, and `compared` what decides each condition without the
    engine, None where that has to.

    Args:
        conditions: all conditions that the facts are for.
        scan: finds the kinds of secrets in a request; called only where a condition reads `secrets`.
        hour: of the day, 0 to 23.
    """

    def __init__(
        self,
        conditions: Iterable[CompiledRule],
        scan: Callable[[Request], Sequence[str]] | None = None,
        hour: Callable[[], int] = lambda: time.localtime().tm_hour,
    ) -> None:
        conditions = tuple(conditions)
        self.variables = frozenset[str]().union(*(entry.variables for entry in conditions))
        self._scan = scan
        self._hour = hour
        seen, asked = _of_snapshot(conditions), self._of_request(conditions)
        self._seen, self._asked = tuple(seen.values()), tuple(asked.values())
        self._nothing = self.seen(None)
        layers: tuple[Iterable[str], ...] = (seen, asked, _SAID)
        self.places: Mapping[str, Place] = {
            name: (layer, index) for layer, names in enumerate(layers) for index, name in enumerate(names)
        }
        self.compared: tuple[Holds | None, ...] = tuple(comparison_of(one.source, self.places) for one in conditions)
        left = [one for one, compared in zip(conditions, self.compared, strict=True) if compared is None]
        self._lean = {name: place for name, place in self.places.items() if any(_reads(one, name) for one in left)}
        self._local = threading.local()

    def seen(self, snapshot: Snapshot | None) -> Values:
        """What a snapshot says, for the facts of all requests that are decided with it; None where nothing watches."""
        observed = Observed(snapshot)
        return tuple([made(observed) for made in self._seen])

    def of(self, requested: Requested, seen: Values | None = None) -> Facts:
        """The facts of one request.

        Args:
            requested: what is asked, by whom; the kinds of secrets are put into it where a condition reads them.
            seen: what the snapshot says; None without one.
        """
        return Facts(self, self._nothing if seen is None else seen, tuple([made(requested) for made in self._asked]))

    def context(self, facts: Facts) -> cel.Context:
        """The context of this thread, brought to the values of these facts."""
        return self._prepared().whole.brought_to(facts.layers)

    def lean_context(self, facts: Facts) -> cel.Context:
        """See `Facts.lean_context`."""
        return self._prepared().lean.brought_to(facts.layers)

    def context_of(self, condition: CompiledRule, facts: Facts) -> cel.Context:
        """See `Facts.context_of`."""
        own = self._prepared().own
        found = own.get(condition.source)
        if found is None:
            read = {name: place for name, place in self.places.items() if _reads(condition, name)}
            found = own[condition.source] = _Prepared(read)
        return found.brought_to(facts.layers)

    def _prepared(self) -> _Contexts:
        try:
            found: _Contexts = self._local.contexts
        except AttributeError:
            found = self._local.contexts = _Contexts(_Prepared(self.places), _Prepared(self._lean), {})
        return found

    def _of_request(self, conditions: Sequence[CompiledRule]) -> dict[str, Maker]:
        """How each fact about a request is made that conditions read, by its name."""
        plain = {**PLAIN, "hour": lambda _: self._hour(), "secrets": self._secrets}
        paths = {name: path for entry in conditions for name, path in entry.paths.items() if path[0] in MAPS}
        whole = frozenset[str]().union(*(entry.whole for entry in conditions))
        return {
            **{name: made for name, made in plain.items() if name in self.variables},
            **{name: at(path) for name, path in paths.items()},
            **{name: made for name, made in MAPS.items() if name in whole},
        }

    def _secrets(self, requested: Requested) -> list[str]:
        if requested.secrets is None:
            requested.secrets = self._scan(requested.request) if self._scan is not None else ()
        return list(requested.secrets)[:MAX_ENTRIES]


class _Prepared:
    """A context of the engine for some variables, and what it holds."""

    __slots__ = ("_context", "_held", "_layers", "_places")

    def __init__(self, places: Mapping[str, Place]) -> None:
        self._context = cel.Context()
        self._places = [(name, *place) for name, place in places.items()]
        self._held: dict[str, Any] = {}
        self._layers: Layers = ()

    def brought_to(self, layers: Layers) -> cel.Context:
        """The context, with the values of these layers."""
        if self._layers is not layers:
            self._layers = ()  # until all of it is there
            for name, layer, index in self._places:
                values = layers[layer]
                if index < len(values) and self._held.get(name, _ABSENT) != values[index]:
                    self._held.pop(name, None)
                    self._context.add_variable(name, values[index])
                    self._held[name] = values[index]
            self._layers = layers
        return self._context


class _Contexts(NamedTuple):
    """Those of one thread: for all conditions, for those that the engine decides, for single ones by their text."""

    whole: _Prepared
    lean: _Prepared
    own: dict[str, _Prepared]


def _reads(condition: CompiledRule, name: str) -> bool:
    """Whether a condition reads a fact of this name."""
    return name in condition.paths or name in condition.whole or name in condition.variables


def _of_snapshot(conditions: Sequence[CompiledRule]) -> dict[str, Callable[[Observed], Any]]:
    """How each fact about the outside is made that conditions read, by its name."""
    paths = {name: path for entry in conditions for name, path in entry.paths.items() if path[0] not in MAPS}
    whole = sorted(frozenset[str]().union(*(entry.whole for entry in conditions)) - MAPS.keys())
    return {name: _at(path) for name, path in paths.items()} | {name: _whole(name, conditions) for name in whole}


def _at(path: tuple[str, ...]) -> Callable[[Observed], Any]:
    """How the value at the end of a path is made; None where it is absent."""
    owner, name = path[:2]
    if owner == "resources":
        return lambda seen: seen.resources.get(name)
    read = (PROVIDER_FIELDS if owner == "provider" else CANDIDATE_FIELDS)[path[2]]
    return lambda seen: read(seen, name)


def _whole(name: str, conditions: Sequence[CompiledRule]) -> Callable[[Observed], Any]:
    """How a map is made that conditions use otherwise than by a path."""
    asked = [entry.whole[name] for entry in conditions if name in entry.whole]
    names = None if None in asked else frozenset[str]().union(*(entry for entry in asked if entry is not None))
    fields = frozenset[str]().union(*(entry.members for entry in conditions if name in entry.whole))
    if name == "provider":
        return lambda seen: seen.all_providers(names, fields)
    if name == "candidate":
        return lambda seen: seen.all_candidates(names, fields)
    return lambda seen: seen.resources
