"""What conditions of rules can ask about one request: only what some rule reads, converted only where it changed.

Converting a text for the expression engine takes 3 microseconds and a map of 8 candidates 180, so each thread keeps one
prepared context and changes in it what differs from the request before.

Measured with 8 candidates on one core of a shared Intel Xeon: 15 variables and paths of ordinary rules take 20
microseconds to make and 20 to hand over, all 28 of a set that reads everything 30 and 35. A condition that goes over all
candidates adds 60 each time their state changed, so ask for a candidate by name where one is meant.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, Final, TypeAlias

import cel

from turnout.config.expression_variables import MAX_ENTRIES
from turnout.config.expressions import CompiledRule
from turnout.policy.mentions import keywords, languages, words_of
from turnout.policy.observed import CANDIDATE_FIELDS, PROVIDER_FIELDS, Observed, bounded
from turnout.types import Hints, Request, Snapshot, Task
from turnout.types.tokens import likely_tokens

_ABSENT: Final = object()


NO_HINTS: Final = Hints()


class Facts:
    """The variables of one request. Made by `FactSheet.of`; belongs to no thread."""

    __slots__ = ("_sheet", "values")

    def __init__(self, sheet: FactSheet, values: dict[str, Any]) -> None:
        self._sheet = sheet
        self.values = values

    @property
    def context(self) -> cel.Context:
        """The prepared context of this thread. Use it before other facts of the same sheet are asked for theirs."""
        return self._sheet.context(self)

    def after(self, confidence: float, margin: float) -> Facts:
        """The same request when the predictor has spoken."""
        return Facts(self._sheet, {**self.values, "confidence": confidence, "margin": margin})


class FactSheet:
    """Which facts a set of conditions reads, and how each is made. Safe to share between threads.

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
        self._makers = self._makers_of(conditions)
        self._local = threading.local()
        self._seen = Observed(None)

    def of(
        self,
        request: Request,
        task: Task,
        *,
        preference: str | float = "balanced",
        hints: Hints = NO_HINTS,
        last_candidate: str = "",
        turns: int | None = None,
        snapshot: Snapshot | None = None,
        secrets: Sequence[str] | None = None,
    ) -> Facts:
        """The facts of one request.

        Args:
            request: what is asked.
            task: what kind of work it is.
            preference: of the caller.
            hints: what the caller says beside it.
            last_candidate: who answered the last turn of the conversation here; empty for nobody.
            turns: how many turns of it were answered here; None for as many as the request holds answers.
            snapshot: of providers, candidates and resources; None where nothing watches them.
            secrets: kinds that were found already; None to look now if a condition asks.
        """
        source = _Source(request, task, preference, hints, last_candidate, turns, self._observed(snapshot), secrets)
        return Facts(self, {name: maker(source) for name, maker in self._makers})

    def context(self, facts: Facts) -> cel.Context:
        """The context of this thread, brought to the values of these facts."""
        local = self._local
        try:
            context: cel.Context = local.context
            held: dict[str, Any] = local.held
        except AttributeError:
            context, held = local.context, local.held = cel.Context(), {}
            local.owner = None
        if local.owner is not facts:
            local.owner = None
            for name, value in facts.values.items():
                if held.get(name, _ABSENT) != value:
                    held.pop(name, None)
                    context.add_variable(name, value)
                    held[name] = value
            local.owner = facts
        return context

    def _makers_of(self, conditions: Sequence[CompiledRule]) -> list[tuple[str, Maker]]:
        """The name of each fact that conditions read, and how it is made."""
        paths = {name: path for entry in conditions for name, path in entry.paths.items()}
        whole = sorted({name for entry in conditions for name in entry.whole})
        found = [(name, maker) for name, maker in self._plain().items() if name in self.variables]
        found += [(name, _of_path(path)) for name, path in paths.items()]
        return found + [(name, self._of_whole(name, conditions)) for name in whole]

    def _plain(self) -> dict[str, Maker]:
        """How each variable is made that is no map."""
        return {
            "task_type": lambda of: of.task.type,
            "complexity": lambda of: of.task.complexity,
            "complexity_score": lambda of: of.task.complexity_score,
            "tier": lambda of: of.task.tier,
            "tier_score": lambda of: of.task.tier_score,
            "files": lambda of: len(of.request.files),
            "tools": lambda of: len(of.request.tools),
            "images": lambda of: sum(len(message.images) for message in of.request.messages),
            "turns": lambda of: _count(of.request, "user"),
            "prompt_tokens": lambda of: likely_tokens(of.request),
            "prompt_chars": lambda of: len(of.request.prompt),
            "languages": lambda of: languages(of.request.prompt, of.words),
            "keywords": lambda of: keywords(of.words),
            "preference": lambda of: bounded(of.preference) if isinstance(of.preference, str) else float(of.preference),
            "hour": lambda _: self._hour(),
            "secrets": self._secrets,
        }

    def _secrets(self, source: _Source) -> list[str]:
        found = source.secrets
        if found is None:
            found = self._scan(source.request) if self._scan is not None else ()
        return list(found)[:MAX_ENTRIES]

    def _of_whole(self, name: str, conditions: Sequence[CompiledRule]) -> Maker:
        """How a map is made that conditions use otherwise than by a path."""
        asked = [entry.whole[name] for entry in conditions if name in entry.whole]
        names = None if None in asked else frozenset[str]().union(*(entry for entry in asked if entry is not None))
        fields = frozenset[str]().union(*(entry.members for entry in conditions if name in entry.whole))
        if name == "provider":
            return lambda of: of.seen.all_providers(names, fields)
        if name == "candidate":
            return lambda of: of.seen.all_candidates(names, fields)
        return _MAPS[name]

    def _observed(self, snapshot: Snapshot | None) -> Observed:
        """The last snapshot is kept as it was read."""
        seen = self._seen
        if seen.snapshot is not snapshot:
            seen = self._seen = Observed(snapshot)
        return seen


def _of_path(path: tuple[str, ...]) -> Maker:
    """How the value at the end of a path is made; None where it is absent."""
    if path[0] in ("provider", "candidate"):
        name, read = path[1], (PROVIDER_FIELDS if path[0] == "provider" else CANDIDATE_FIELDS)[path[2]]
        return lambda of: read(of.seen, name)
    owner, field = _MAPS[path[0]], path[1]
    return lambda of: owner(of).get(field)


class _Source:
    """What facts are made of."""

    def __init__(
        self,
        request: Request,
        task: Task,
        preference: str | float,
        hints: Hints,
        last_candidate: str,
        turns: int | None,
        seen: Observed,
        secrets: Sequence[str] | None,
    ) -> None:
        self.request = request
        self.task = task
        self.preference = preference
        self.hints = hints
        self.last_candidate = last_candidate
        self.turns = turns
        self.seen = seen
        self.secrets = secrets
        self._words: list[bytes] | None = None
        self._headers: dict[str, str] | None = None

    @property
    def words(self) -> list[bytes]:
        """Words of the prompt, for keywords and languages alike."""
        if self._words is None:
            self._words = words_of(self.request.prompt)
        return self._words

    @property
    def headers(self) -> dict[str, str]:
        """Hints by names in lower case with underscores."""
        if self._headers is None:
            first = islice(self.hints.headers.items(), MAX_ENTRIES)
            self._headers = {bounded(name).lower().replace("-", "_"): bounded(value) for name, value in first}
        return self._headers

    @property
    def conversation(self) -> dict[str, Any]:
        """Fields of the variable of this name."""
        return {
            "present": bool(self.hints.conversation),
            "turns": self.turns if self.turns is not None else _count(self.request, "assistant"),
            "candidate": bounded(self.last_candidate),
        }


Maker: TypeAlias = Callable[[_Source], Any]

_MAPS: Final[Mapping[str, Maker]] = {
    "header": lambda of: of.headers,
    "conversation": lambda of: of.conversation,
    "resources": lambda of: of.seen.resources,
}


def _count(request: Request, role: str) -> int:
    return sum(message.role == role for message in request.messages)
