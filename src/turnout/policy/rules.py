"""Rules compiled once from the configuration: which of them hold for a request, and what they do to its candidates.

First match wins inside an effect, except that every rule that forbids is heard: nobody is let in because an earlier rule
kept somebody else out. A prohibition wins over `force` and `prefer`. Rules that read the predictor's `confidence` or
`margin` are heard in a second pass, at the place in the order where they stand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import Final, NamedTuple

from turnout.config.expression_variables import AFTER_PREDICTION
from turnout.config.expressions import CompiledRule, ExpressionError, compile_rule
from turnout.config.rules import Rule
from turnout.policy.comparisons import Holds, stands_alone
from turnout.policy.facts import Facts, FactSheet, Values
from turnout.policy.requested import Requested
from turnout.policy.verdict import NOTHING_SAID, Forced, Preferred, Spoken, Verdict
from turnout.types import TIERS, Request, Snapshot

__all__ = ["Forced", "Preferred", "RuleBook", "Spoken", "Verdict"]

_REMEMBERED: Final = 1000
"""Verdicts of one book that are kept."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """One rule with its condition compiled and its targets expanded."""

    rule: Rule
    condition: CompiledRule
    force: tuple[str, ...]
    prefer: tuple[str, ...]
    forbid: tuple[str, ...]
    effects: tuple[str, ...]
    unmatched: tuple[str, ...]


class _Heard(NamedTuple):
    """Where in the order a rule stands, and what decides its condition: a comparison where it is one, else the engine.

    `alone` says that it is one comparison, which fails where its value is absent."""

    position: int
    compared: Holds | None
    condition: CompiledRule
    alone: bool


class RuleBook:
    """The rules of one configuration over the candidates that are known. Never changes; safe to share between threads.

    Measured beside the facts, on one core of a shared Intel Xeon: 30 conditions of one or two comparisons take 20
    microseconds, 30 of all sorts 33, the verdict of three rules that hold 10.

    Args:
        rules: as configured, in their order.
        candidates: all that are known, cheapest first.
        tiers: what the targets `fast` and `strong` mean; by default the cheaper and the dearer half of the candidates.
        providers: names that conditions may ask for; None where nobody knows yet.
        scan: finds the kinds of secrets in a request; called only where a condition reads `secrets`.
        hour: of the day, 0 to 23; by default that of this machine.

    Raises:
        ExpressionError: a condition is refused; the message begins with the name of its rule.
    """

    def __init__(
        self,
        rules: Iterable[Rule],
        candidates: Sequence[str],
        *,
        tiers: Mapping[str, Sequence[str]] | None = None,
        providers: Sequence[str] | None = None,
        scan: Callable[[Request], Sequence[str]] | None = None,
        hour: Callable[[], int] | None = None,
    ) -> None:
        enabled = [rule for rule in rules if rule.enabled]
        conditions = [_compiled(rule, providers) for rule in enabled]
        self._sheet = FactSheet(conditions, scan) if hour is None else FactSheet(conditions, scan, hour)
        self._entries = _expanded(zip(enabled, conditions, strict=True), candidates, tiers)
        self._arrange()

    def _arrange(self) -> None:
        heard = [
            _Heard(position, compared, entry.condition, stands_alone(entry.condition.source))
            for position, (entry, compared) in enumerate(zip(self._entries, self._sheet.compared, strict=True))
        ]
        self._first = [one for one in heard if not one.condition.variables & AFTER_PREDICTION]
        self._second = [one for one in heard if one.condition.variables & AFTER_PREDICTION]
        self._verdicts: dict[tuple[int, ...], Verdict] = {(): NOTHING_SAID}

    def with_candidates(self, candidates: Sequence[str], tiers: Mapping[str, Sequence[str]] | None = None) -> RuleBook:
        """The same rules over other candidates; nothing is compiled again."""
        book = object.__new__(RuleBook)
        book._sheet = self._sheet
        book._entries = _expanded(((entry.rule, entry.condition) for entry in self._entries), candidates, tiers)
        book._arrange()
        return book

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def asks_after_prediction(self) -> bool:
        """Whether a rule waits for the predictor."""
        return bool(self._second)

    @property
    def reads_secrets(self) -> bool:
        """Whether a rule asks what secrets a request holds."""
        return "secrets" in self._sheet.variables

    @property
    def unmatched(self) -> tuple[tuple[str, str], ...]:
        """Rule and target where no known candidate is meant; such a target does nothing."""
        return tuple((entry.rule.name, target) for entry in self._entries for target in entry.unmatched)

    @property
    def failures(self) -> Mapping[str, int]:
        """How often the condition of a rule failed, and so counted as false, by the name of the rule."""
        return {entry.rule.name: entry.condition.failures for entry in self._entries if entry.condition.failures}

    def seen(self, snapshot: Snapshot | None) -> Values:
        """What these rules ask about the outside; see `FactSheet.seen`."""
        return self._sheet.seen(snapshot)

    def facts(self, requested: Requested, seen: Values | None = None) -> Facts:
        """What these rules ask about a request; see `FactSheet.of`."""
        return self._sheet.of(requested, seen)

    def apply(self, facts: Facts) -> Verdict:
        """What the rules say that need no prediction. Never fails: a condition that errs does not hold."""
        return self._said(tuple(_holding(self._first, facts)))

    def apply_after(self, facts: Facts, verdict: Verdict, *, confidence: float, margin: float) -> Verdict:
        """What all rules say, those included that wait for the predictor.

        Args:
            facts: those that `apply` had.
            verdict: what `apply` said.
            confidence: probability of success of the predictor's choice.
            margin: how far its choice is ahead of the next, in utility.
        """
        if not self._second:
            return verdict
        late = _holding(self._second, facts.after(confidence, margin))
        return self._said(tuple(sorted([*verdict.matched, *late]))) if late else verdict

    def _said(self, matched: tuple[int, ...]) -> Verdict:
        """What those rules say that hold, remembered: the same few sets of rules come again and again."""
        verdict = self._verdicts.get(matched)
        if verdict is None:
            if len(self._verdicts) >= _REMEMBERED:
                self._verdicts.clear()
            verdict = self._verdicts[matched] = self._verdict(matched)
        return verdict

    def _verdict(self, matched: tuple[int, ...]) -> Verdict:
        entries = [self._entries[position] for position in matched]
        forbidden: dict[str, str] = {}
        for entry in entries:
            for candidate in entry.forbid:
                forbidden.setdefault(candidate, entry.rule.name)
        first: dict[str, _Entry] = {}
        spoken: list[Spoken] = []
        for entry in entries:
            effects = tuple(effect for effect in entry.effects if self._decides(effect, entry, first, forbidden))
            if effects:
                spoken.append(Spoken(entry.rule.name, entry.rule.description, effects))
        forcing, preferring = first.get("force"), first.get("prefer")
        return Verdict(
            forced=Forced(_allowed(forcing.force, forbidden), forcing.rule.name) if forcing is not None else None,
            forbidden=MappingProxyType(forbidden),
            preferred=_preferred(preferring, forbidden) if preferring is not None else None,
            preference=first["preference"].rule.then.preference if "preference" in first else None,
            threshold=first["threshold"].rule.then.threshold if "threshold" in first else None,
            hold=bool(first["hold"].rule.then.hold) if "hold" in first else False,
            require_local=bool(first["require_local"].rule.then.require_local) if "require_local" in first else False,
            rules=tuple(spoken),
            matched=matched,
        )

    @staticmethod
    def _decides(effect: str, entry: _Entry, first: dict[str, _Entry], forbidden: Mapping[str, str]) -> bool:
        """Whether a rule decides one of its effects. A preference for nobody is none; a force for nobody is an error."""
        if effect == "forbid":
            return entry.rule.name in forbidden.values()
        if effect in first:
            return False
        if effect == "prefer" and not _allowed(entry.prefer, forbidden):
            return False
        first[effect] = entry
        return True


def _holding(rules: Sequence[_Heard], facts: Facts) -> list[int]:
    """The positions of those rules whose conditions hold."""
    layers, found = facts.layers, []
    for position, compared, condition, alone in rules:
        if compared is None:
            holds = condition.evaluate(facts.lean_context)
        else:
            try:
                holds = compared(layers)
            except TypeError:
                holds = condition.fail_for_absence() if alone else condition.evaluate(facts.context_of(condition))
        if holds:
            found.append(position)
    return found


def _preferred(entry: _Entry, forbidden: Mapping[str, str]) -> Preferred:
    prefer = entry.rule.then.prefer
    assert prefer is not None
    return Preferred(_allowed(entry.prefer, forbidden), prefer.confidence, entry.rule.name)


def _compiled(rule: Rule, providers: Sequence[str] | None) -> CompiledRule:
    try:
        return compile_rule(rule.when, name=rule.name, providers=providers)
    except ExpressionError as error:
        raise ExpressionError(f"rule {rule.name!r}: {error}") from None


def _expanded(
    rules: Iterable[tuple[Rule, CompiledRule]], candidates: Sequence[str], tiers: Mapping[str, Sequence[str]] | None
) -> list[_Entry]:
    if tiers is None:
        half = (len(candidates) + 1) // 2
        tiers = {"fast": candidates[:half], "strong": candidates[half:] or candidates}
    entries = []
    for rule, condition in rules:
        effects = rule.then
        wanted = (effects.force, effects.prefer.target if effects.prefer is not None else (), effects.forbid)
        given = tuple(entry.name for entry in fields(effects) if getattr(effects, entry.name) not in (None, ()))
        unmatched: dict[str, None] = {}
        force, prefer, forbid = (_targets(names, candidates, tiers, unmatched) for names in wanted)
        entries.append(_Entry(rule, condition, force, prefer, forbid, given, tuple(unmatched)))
    return entries


def _targets(
    names: Sequence[str], candidates: Sequence[str], tiers: Mapping[str, Sequence[str]], unmatched: dict[str, None]
) -> tuple[str, ...]:
    """The candidates that targets mean, in the order of the targets, then of the candidates; each once."""
    found: dict[str, None] = {}
    for name in names:
        meant = [entry for entry in candidates if name in (entry, entry.partition("/")[0])]
        if not meant and name in TIERS:
            meant = [entry for entry in candidates if entry in tiers.get(name, ())]
        if not meant:
            meant = [
                entry for entry in candidates if fnmatchcase(entry, name) or fnmatchcase(entry.partition("/")[0], name)
            ]
        if not meant:
            unmatched[name] = None
        found.update(dict.fromkeys(meant))
    return tuple(found)


def _allowed(candidates: tuple[str, ...], forbidden: Mapping[str, str]) -> tuple[str, ...]:
    if not forbidden:
        return candidates
    return tuple(name for name in candidates if name not in forbidden)
